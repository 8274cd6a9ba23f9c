"""Track where the work takes place: branch and folder, the pull request named last, commits that were made, what was pushed.

Read from the client's record of each observation, from command lines, and from what git and gh print. What they do not print is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clew.records import CommitMade, Observation, ToolCall, WorkPlace
from clew.task.bounded import drop_oldest
from clew.task.commands import CommandAnalysis

COMMITS_MAX = 32  # guess
OUTPUT_CHARS_MAX = 20_000

_COMMITTING = frozenset({"commit", "merge", "cherry-pick", "revert", "rebase", "am", "pull"})
_COMMITTED = re.compile(r"^\[([^\]\n]{1,200}?)(?: \(root-commit\))? ([0-9a-f]{5,40})\] (\S.{0,300})$", re.MULTILINE)
_PUSHED = re.compile(r"^\s*[+*!= -]?\s*(?:([0-9a-f]{7,40})\.{2,3}([0-9a-f]{7,40})|\[new branch\])\s+(\S+)\s+-> (\S+)", re.MULTILINE)
_PULL_VERBS = frozenset(
    {"view", "checkout", "comment", "edit", "merge", "review", "ready", "diff", "checks", "close", "reopen", "update-branch"}
)
_PULL_PATH = re.compile(r"/pulls?/(\d{1,7})\b")


@dataclass(slots=True)
class PlaceTracker:
    """Tracks branch, folder, pull request, commits and pushes from observations of the main thread, in order."""

    _branch: str = field(default="", init=False)
    _folder: str = field(default="", init=False)
    _pull_request: str = field(default="", init=False)
    _pushed: str = field(default="", init=False)
    _commits: dict[str, CommitMade] = field(default_factory=dict[str, CommitMade], init=False)

    def observe(self, observation: Observation) -> None:
        """Take the branch and the folder that the client recorded, and a pull request that it names."""
        self._branch, self._folder = observation.branch or self._branch, observation.cwd or self._folder
        if observation.tool == "pr-link" and (found := _PULL_PATH.search(observation.text)):
            self._pull_request = found[1]

    def observe_command(self, call: ToolCall, command: CommandAnalysis, observation: Observation) -> None:
        """Take what a finished command says of commits, pushes and pull requests."""
        output = call.output[:OUTPUT_CHARS_MAX]
        for simple in command.commands:
            if simple.words[:1] == ("gh",):
                self._observe_gh(simple.words, output, is_failed=call.is_marked_failed)
            if simple.words[:2] == ("git", "push"):
                for pushed in _PUSHED.finditer(output):
                    self._pushed = f"{pushed[4]} at {pushed[2]}" if pushed[2] else f"new branch {pushed[4]}"
        if any(simple.program == "git" and not _COMMITTING.isdisjoint(simple.words) for simple in command.commands):
            for made in _COMMITTED.finditer(output):
                self._commits.pop(made[2], None)
                self._commits[made[2]] = CommitMade(made[2], made[3], made[1], observation.uuid, observation.seq)
            drop_oldest(self._commits, COMMITS_MAX)

    def place(self) -> WorkPlace:
        """Return where the work takes place now."""
        return WorkPlace(self._branch, self._folder, self._pull_request, self._pushed, tuple(self._commits.values()))

    def _observe_gh(self, words: tuple[str, ...], output: str, *, is_failed: bool) -> None:
        number = ""
        if words[1:2] == ("pr",) and words[2:3] == ("create",):
            found = _PULL_PATH.search(output)
            number = found[1] if found else ""
        elif words[1:2] == ("pr",) and words[2:3] and words[2] in _PULL_VERBS:
            number = next((word for word in words[3:] if word.isdecimal()), "")
        elif words[1:2] == ("api",) and (found := _PULL_PATH.search(" ".join(words))):
            number = found[1]
        if number and not is_failed:
            self._pull_request = number
