"""Known: which records, hooks and fields of the client clew was tried with.

`python -m tests.real_client.known` runs each release and adds what it finds to `known.json`, for a person to review in the diff; the test
fails on what is not there. What a field means is for the readers of transcripts and payloads to know.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.real_client.client import VERSIONS, Place, installed, numbered
from tests.real_client.scripted_api import ScriptedAPI, use

FILE = Path(__file__).parent / "known.json"
# The client's own list of its hooks, as it stands in the program: one array of strings that begins with this one.
_HOOKS = re.compile(rb'\["PreToolUse"(?:,"[A-Za-z]{3,40}")+\]')

Known = dict[str, dict[str, list[str]]]


def found(folder: Path, version: str) -> Known:
    """Return what one session of a release writes and tells: fields by record type, and by hook event; and the names of all hooks."""
    place = Place(folder / "place", version)
    told = folder / "told.jsonl"
    told.touch()
    listener = {"type": "command", "command": f"cat >> {told}; echo >> {told}"}
    events = sorted(hooks_of(installed(version)))
    seen = [event for event in events if event not in ("WorktreeCreate", "WorktreeRemove")]  # whose answer would be taken for a folder
    (place.home / ".claude").mkdir()
    (place.home / ".claude" / "settings.json").write_text(json.dumps({"hooks": {event: [{"hooks": [listener]}] for event in seen}}))
    turns = [
        [use("Read", file_path=f"{place.repo}/calc.py")],
        [use("Edit", file_path=f"{place.repo}/calc.py", old_string="return x + 1\n", new_string="return x + 2\n")],
        [use("Bash", command="false", description="fail")],
        [use("Bash", command="seq 1 40000", description="say much")],
        [use("Agent", description="look", prompt="Say where add_3 is.", subagent_type="general-purpose", run_in_background=False)],
        "Done. " + "A sentence that takes room. " * 200,
        "More. " + "A sentence that takes room. " * 200,
        "After it.",
    ]
    with ScriptedAPI(turns, subagent=["add_3 is in calc.py."]) as api, place.session(url=api.url) as session:
        for prompt in ("Change add_1.", "Go on.", "/compact", "And now?"):
            session.ask(prompt)
    records: dict[str, set[str]] = {}
    for file in sorted((place.home / ".claude" / "projects").rglob("*.jsonl")):
        for record in _objects(file):
            records.setdefault(_kind(record), set()).update(record)
    payloads: dict[str, set[str]] = {}
    for payload in _objects(told):
        payloads.setdefault(str(payload.get("hook_event_name")), set()).update(payload)
    return {"records": _listed(records), "payloads": _listed(payloads), "hooks": {event: [] for event in events}}


def hooks_of(program: Path) -> set[str]:
    """Return the names of the hooks that a client's program knows. Raises ValueError where its list is not found."""
    lists = _HOOKS.findall(program.resolve().read_bytes())
    if not lists:
        raise ValueError(f"{program}: its list of hooks was not found: it is written in another form now")
    return set(json.loads(max(lists, key=len)))


def unknown(known: Known, now: Known) -> list[str]:
    """Return what a release has and is not known, as sentences."""
    return [
        f"{part}: {kind} has {', '.join(new)}" if fields and kind in known[part] else f"{part}: {kind} is new, with {', '.join(fields) or 'no fields'}"
        for part, kinds in now.items()
        for kind, fields in kinds.items()
        if (new := [field for field in fields if field not in known[part].get(kind, [])]) or kind not in known[part]
    ]  # fmt: skip


def _kind(record: Mapping[str, Any]) -> str:
    more = record.get("subtype") or (record["attachment"].get("type") if isinstance(record.get("attachment"), dict) else "")
    return f"{record.get('type')}/{more}" if more else str(record.get("type"))


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _listed(sets: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {kind: sorted(fields) for kind, fields in sorted(sets.items())}


def main() -> int:
    """Add what the releases have to the file."""
    known: Known = json.loads(FILE.read_text()) if FILE.is_file() else {"records": {}, "payloads": {}, "hooks": {}}
    for version in dict.fromkeys(map(numbered, VERSIONS)):
        with tempfile.TemporaryDirectory(prefix="clew-known-") as folder:
            for part, kinds in found(Path(folder), version).items():
                for kind, fields in kinds.items():
                    known[part][kind] = sorted({*known[part].get(kind, []), *fields})
    FILE.write_text(json.dumps({part: dict(sorted(kinds.items())) for part, kinds in known.items()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
