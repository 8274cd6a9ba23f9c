"""Command: `python bench/score/timed.py PLAN`. Times the checkout that stands first on PYTHONPATH, and prints the figures as JSON.

Run by `bench.score.claims.speed` for two checkouts in turn, so it uses nothing but `bench.doors` and `bench.memory` as both have them.
What runs in this process is measured in processor time, which other programs on the machine change least; commands in both.
"""

from __future__ import annotations

import gc
import json
import resource
import shutil
import sys
from pathlib import Path
from time import process_time
from typing import Any

from bench.doors import environment, index, index_command, ingest_command, opened, retrieve, update
from bench.memory import watch

BUDGET_TOKENS = 8192
TIMES = 5


def main(plan: dict[str, Any]) -> dict[str, float]:
    """Measure once; `tree` is copied, as one of its files is changed, and `home` is new."""
    home, tree = Path(plan["home"]), Path(plan["home"] + "-tree")
    shutil.copytree(plan["tree"], tree, symlinks=True)
    found: dict[str, float] = {}
    commands = {"cold index": (index_command(tree), home)}
    if plan["sessions"]:
        commands["ingestion"] = (ingest_command(Path(plan["sessions"])), Path(plan["home"] + "-sessions"))
    for name, (command, where) in commands.items():
        before = _of_children()
        watched = watch(command, environment=environment(where))
        if watched.code:
            raise SystemExit(watched.said[-2000:])
        found |= {name: watched.wall_s, f"{name}, processor time": _of_children() - before, f"{name}, memory": watched.peak_rss_mb}
    if plan["session"]:
        compact = [sys.executable, "-m", "clew", "compact", plan["session"], "--repo", str(tree), "--budget", "16000", "--json"]
        before = _of_children()
        if not watch(compact, environment=environment(Path(plan["home"] + "-compact"))).code:  # the first commits have no such command
            found["compaction, a new session, as a command, processor time"] = _of_children() - before
    with opened(home) as engine:
        found["index, nothing changed"] = min(_seconds(lambda: index(engine, tree)) for _ in range(TIMES))
        file = tree / plan["file"]
        original = file.read_bytes()
        took: list[float] = []
        for number in range(TIMES):
            file.write_bytes(original + f"\n\ndef probe_{number}(value):\n    return value + {number}\n".encode())
            took.append(_seconds(lambda: update(engine, tree, plan["file"])))
        found["index, one file changed"] = min(took)
        retrieve(engine, tree, "what is this repository about?", BUDGET_TOKENS)
        gc.collect()
        augment: Any = getattr(engine, "augment_prompt", None) or getattr(engine, "attend", None)  # the first commits have neither
        if augment is not None:
            given = {"budget_tokens": 1500, "tokenizer": "chars4"}
            took = sorted(_seconds(lambda question=question: augment(tree, question, **given)) for question in plan["questions"])
            found["additions to a prompt, p50"] = took[len(took) // 2]
        asked = sorted(
            _seconds(lambda question=question: retrieve(engine, tree, question, BUDGET_TOKENS)) for question in plan["questions"]
        )
        found["warm question, p50"] = asked[len(asked) // 2]
        found["warm question, p90"] = asked[int(0.9 * len(asked))]
    return found


def _seconds(act: Any) -> float:
    started = process_time()
    act()
    return process_time() - started


def _of_children() -> float:
    """Processor time of the commands that have ended, with all that they started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
