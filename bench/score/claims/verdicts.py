"""Outputs of checks with a known verdict: is it read off them rightly, and never one that they do not give?"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bench.score.figure import Context, DataMissing, Figure, Value
from clew.task.tracker import state_at
from clew.transcript.parse import TranscriptReader
from clew.transcript.session_files import build_origin, find_session_files

FILES = "*.jsonl"


def measure(context: Context) -> Mapping[str, Value]:
    """Show each output as the result of its command, in a session of its own."""
    folder = context.cases / "conversation" if context.cases else None
    rows: dict[str, float | None] = {}
    wrong: dict[str, float | None] = {}
    clusters: dict[str, str] = {}
    for path in sorted(folder.glob(FILES)) if folder else ():
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if "verdict" not in case:
                continue
            name = f"{path.stem} {case['name']}"
            clusters[name] = name
            said = _verdict(context, case["command"], case["output"])
            rows[name] = float(said == case["verdict"])
            wrong[name] = float(said not in (case["verdict"], "not seen"))
    if not rows:
        raise DataMissing("--cases with conversation/NN-verdicts.jsonl")
    return {
        "verdicts read rightly": Value.of_rows(rows, clusters),
        "verdicts that are false": Value.of_rows(wrong, clusters, better="lower"),
    }


def _verdict(context: Context, command: str, output: str) -> str:
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": command}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": output}
    shared = {"sessionId": "s", "cwd": "/srv/shop", "version": "2.1.100", "isSidechain": False, "timestamp": "2026-01-01T10:00:00.000Z"}
    records = [
        {**shared, "type": "user", "uuid": "u0", "parentUuid": None, "message": {"role": "user", "content": "Check it."}},
        {**shared, "type": "assistant", "uuid": "u1", "parentUuid": "u0", "message": {"role": "assistant", "content": [use]}},
        {**shared, "type": "user", "uuid": "u2", "parentUuid": "u1", "message": {"role": "user", "content": [result]}},
    ]
    file = context.work / "00000000-0000-4000-8000-000000000000.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    checks = state_at(TranscriptReader(file, origin=build_origin(find_session_files(file))).read_observations()).checks
    if not checks:
        return "not seen"
    return checks[-1].verdict


FIGURE = Figure("verdicts", "Unknown is an answer: a check's verdict is read off its output or not given.", measure)
