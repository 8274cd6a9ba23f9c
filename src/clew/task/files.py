"""Track the files that a session changed."""

from __future__ import annotations

from clew.records import CallOutcome, FileState, FileStatus, Observation, ObservationKind
from clew.task.paths import find_touched_files, relative_path


class FileTracker:
    """Tracks the files that a session changed from its observations."""

    def __init__(self) -> None:
        self._files: dict[str, FileState] = {}

    def observe(self, observation: Observation, root: str) -> None:
        """Update with the session's next observation."""
        call = observation.call
        if observation.kind is ObservationKind.RESULT and call and call.result and call.result.outcome is CallOutcome.OK:
            for touch in find_touched_files(call):
                path = relative_path(touch.path, call.workdir or call.cwd, root) if touch.how in ("edit", "write") else ""
                if path:
                    known = self._files.pop(path, None)
                    how = FileStatus.WRITTEN if touch.how == "write" else FileStatus.EDITED
                    self._files[path] = FileState(path, how, known.edits + 1 if known else 1, uuid=observation.uuid, seq=observation.seq)

    def files(self) -> tuple[FileState, ...]:
        """Return the files changed so far."""
        return tuple(self._files.values())
