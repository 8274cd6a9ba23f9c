"""Command: `python -m bench.reduce --sessions DIR`. Reduced outputs beside tails of the same size, judged by what was used next.

Every output of more than 4,000 characters is reduced as `Engine.write` would, with the task state of that moment. The other arms
show whole lines of as many tokens. A target is what the next ten calls use of the output (`needed`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import provenance, write_result
from bench.reduce import arms
from bench.reduce.needed import Needed, needed
from bench.reduce.outputs import Output, outputs
from clew.evaluation.intervals import difference, estimate
from clew.text.tokens import NEWEST_FAMILY, make_counter
from clew.transcript.reduce.reduce import reduce_lines, select_lines

RESULTS = Path(__file__).parent / "results"
ARMS = ("clew", "clew, no task", "tail", "head", "head and tail", "random")
SORTS = ("name", "path", "place", "line", "edit")
FOLDS = (1200, 2400, 4800)  # characters of a folded record that are compared


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there is no output."""
    parser = argparse.ArgumentParser(prog="python -m bench.reduce", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder of transcripts")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--every", type=int, default=1, help="take every N-th output only")
    given = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    folds: list[dict[str, Any]] = []
    for number, output in enumerate(outputs(given.sessions)):
        if number % given.every == 0:
            wanted = needed(output)
            rows.append(measured(output, wanted))
            folds.extend(measured_folds(output, wanted, rows[-1]["kind"]))
    if not rows:
        print(f"error: {given.sessions}: no output of more than 4,000 characters", file=sys.stderr)
        return 2
    words = ("--sessions", given.sessions.name, *(("--every", str(given.every)) if given.every > 1 else ()))
    source = provenance(("python", "-m", "bench.reduce", *words), ("numpy", "msgspec"))
    result: dict[str, object] = {
        "name": source.name,
        **source.as_json(),
        "kinds": by_kind(rows),
        "reads": reads(rows),
        "folds": by_fold(folds),
        "milliseconds": speed(rows),
    }
    write_result(given.results / f"{source.name}.json", result)
    table = tables(result)
    (given.results / f"{source.name}.md").write_text(table, encoding="utf-8")
    print(table)
    return 0


def measured(output: Output, wanted: Needed) -> dict[str, Any]:
    """Reduce one output, and show as many tokens of it in the other ways."""
    times: list[float] = []
    for _ in range(3):  # the machine may be busy: the least of three says what the work takes
        started = time.process_time()
        reduced = reduce_lines(output.text, output.guided)
        times.append(1e3 * (time.process_time() - started))
    milliseconds = min(times)
    count = make_counter(NEWEST_FAMILY)
    lines = output.text.split("\n")
    costs = count.count_unrounded_many([f"{line}\n" for line in lines])
    shown = reduced.render("abcd2345")
    tokens = count.count_unrounded(shown)
    row: dict[str, Any] = {
        "session": output.session,
        "kind": reduced.kind,
        "is_whole": reduced.is_whole,
        "chars": len(output.text),
        "tokens": sum(costs),
        "shown": tokens,
        "ms": milliseconds,
    }
    seed = f"{output.session} {output.seq}"
    texts = {"clew": shown, "clew, no task": reduce_lines(output.text, output.given).render("abcd2345")} | {
        name: "\n".join(lines[at] for at in chosen)
        for name, chosen in (
            ("tail", arms.tail(costs, tokens)),
            ("head", arms.head(costs, tokens)),
            ("head and tail", arms.head_and_tail(costs, tokens)),
            ("random", arms.lines_at_random(costs, tokens, seed)),
        )
    }
    row["held"] = {name: wanted.held(text) for name, text in texts.items()} if not reduced.is_whole else {}
    row["wanted"] = wanted.held(output.text)
    return row


def measured_folds(output: Output, wanted: Needed, kind: str) -> list[dict[str, Any]]:
    """Fold one output to each size, beside its tail and its head of the same characters."""
    found: list[dict[str, Any]] = []
    lines = output.text.split("\n")
    if not wanted.targets:
        return []
    costs = [float(len(line) + 1) for line in lines]
    for size in FOLDS:
        started = time.process_time()
        ranges = select_lines(output.text, output.guided, size)
        milliseconds = 1e3 * (time.process_time() - started)
        texts = {"clew": "\n".join("\n".join(lines[start - 1 : end]) for start, end in ranges)} | {
            "tail": "\n".join(lines[at] for at in arms.tail(costs, size)),
            "head": "\n".join(lines[at] for at in arms.head(costs, size)),
            "head and tail": "\n".join(lines[at] for at in arms.head_and_tail(costs, size)),
            "random": "\n".join(lines[at] for at in arms.lines_at_random(costs, size, f"{output.session} {output.seq}")),
        }
        held = {name: wanted.held(text) for name, text in texts.items()}
        found.append({"session": output.session, "kind": kind, "size": size, "held": held, "ms": milliseconds})
    return found


def share(counts: dict[str, tuple[int, int]], sorts: Sequence[str] = SORTS) -> float | None:
    """Held of wanted over these sorts; None where nothing is wanted."""
    of = sum(counts.get(sort, (0, 0))[1] for sort in sorts)
    return sum(counts.get(sort, (0, 0))[0] for sort in sorts) / of if of else None


def by_kind(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sizes, and recall of every arm over the outputs that were reduced, by kind and over all."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["kind"]].append(row)
        if row["kind"] not in ("read", "report"):
            groups["all but reads and reports"].append(row)
    found: dict[str, Any] = {}
    for kind, members in sorted(groups.items()):
        cut = [row for row in members if not row["is_whole"]]
        owners = [row["session"] for row in cut]
        recall = {name: [share(row["held"][name]) for row in cut] for name in ARMS}
        found[kind] = {
            "outputs": len(members),
            "reduced": len(cut),
            "sessions": len(set(owners)),
            "tokens": round(sum(row["tokens"] for row in members)),
            "shown": round(sum(row["shown"] for row in members)),
            "shown of reduced": round(sum(row["shown"] for row in cut) / max(1, sum(row["tokens"] for row in cut)), 4),
            "complete": round(sum(share(row["held"]["clew"]) in (None, 1.0) for row in cut) / max(1, len(cut)), 4),
            "recall": {name: interval(estimate(values, owners)) for name, values in recall.items()},
            "against": {
                name: interval(difference(recall["clew"], recall[name], owners))
                for name in ("tail", "head and tail", "random", "clew, no task")
            },
        }
    return found


def reads(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How often text that one of the next ten calls replaces stands in what is shown of a read."""
    members = [row for row in rows if row["kind"] == "read"]
    edited = [row for row in members if row["wanted"].get("edit", (0, 0))[1]]
    return {
        "outputs": len(members),
        "edited within ten calls": len(edited),
        "left whole": sum(row["is_whole"] for row in members),
        "edited text shown": 1.0 if all(row["is_whole"] for row in edited) else share_of_edits(edited),
    }


def share_of_edits(rows: Sequence[dict[str, Any]]) -> float:
    """Of the lines that edits replace, those that are shown."""
    pairs = [row["held"]["clew"]["edit"] if not row["is_whole"] else row["wanted"]["edit"] for row in rows]
    return sum(got for got, _ in pairs) / max(1, sum(of for _, of in pairs))


def by_fold(folds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall of folds by size and kind, beside tail, head and random lines."""
    found: dict[str, Any] = {}
    for size in FOLDS:
        groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in folds:
            if row["size"] == size:
                groups[row["kind"]].append(row)
                groups["all"].append(row)
        for kind, members in sorted(groups.items()):
            owners = [row["session"] for row in members]
            names = list(members[0]["held"])
            values = {name: [share(row["held"][name]) for row in members] for name in names}
            found[f"{size} {kind}"] = {
                "n": len(members),
                "recall": {name: interval(estimate(values[name], owners)) for name in names},
                "against tail": interval(difference(values["clew"], values["tail"], owners)),
                "against head": interval(difference(values["clew"], values["head"], owners)),
                "edited": {name: interval(estimate([share(row["held"][name], ("edit",)) for row in members], owners)) for name in names},
            }
    return found


def speed(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Processor milliseconds, the least of three: of all, and of outputs scaled to 30,000 characters where they are longer."""
    found: dict[str, Any] = {}
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["kind"]].append(row)
        groups["all"].append(row)
    for kind, members in sorted(groups.items()):
        times = np.array([row["ms"] for row in members])
        scaled = np.array([row["ms"] * min(1.0, 30_000 / row["chars"]) for row in members])
        found[kind] = {
            "n": len(members),
            "p50": round(float(np.median(times)), 2),
            "p99": round(float(np.quantile(times, 0.99)), 2),
            "p99 at 30,000 characters": round(float(np.quantile(scaled, 0.99)), 2),
        }
    return found


def interval(found: Any) -> list[float | None]:
    """Mean, low and high end, rounded."""
    return [None if value is None else round(value, 3) for value in (found.mean, found.low, found.high)]


def tables(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"# Reduced outputs, {result['name']}",
        "",
        f"{result['machine']['cpu']}, {result['machine']['cores']} cores; {result['machine']['python']}; `{' '.join(result['command'])}`",
        "",
        "Recall of what the next ten calls use, over outputs that were reduced, as many tokens for each arm; 95 % intervals by session.",
        "",
        "Complete: of the outputs that were reduced, those of which nothing was missed.",
        "",
        "| kind | outputs | reduced | shown of reduced | complete | clew | tail | head and tail | random | no task | − tail | − both |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, row in result["kinds"].items():
        if not row["reduced"]:
            continue
        cells = " | ".join(_cell(row["recall"][name]) for name in ("clew", "tail", "head and tail", "random", "clew, no task"))
        less = f"{_cell(row['against']['tail'])} | {_cell(row['against']['head and tail'])}"
        lines.append(
            f"| {kind} | {row['outputs']} | {row['reduced']} | {100 * row['shown of reduced']:.0f} % "
            f"| {100 * row['complete']:.0f} % | {cells} | {less} |"
        )
    lines += ["", "Reads: " + ", ".join(f"{name} {value}" for name, value in result["reads"].items()) + ".", ""]
    lines += ["| fold, characters, kind | n | clew | tail | head | head and tail | random | clew less tail | clew less head |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    for name, row in result["folds"].items():
        if row["n"] < 5:
            continue
        arms_shown = ("clew", "tail", "head", "head and tail", "random")
        cells = " | ".join(_cell(row["recall"][arm]) for arm in arms_shown)
        lines.append(f"| {name} | {row['n']} | {cells} | {_cell(row['against tail'])} | {_cell(row['against head'])} |")
        if name.endswith(" read"):
            cells = " | ".join(_cell(row["edited"][arm]) for arm in arms_shown)
            lines.append(f"| {name}, lines that the next ten calls replace | | {cells} | | |")
    lines += ["", "| milliseconds of one core | n | p50 | p99 | p99 at 30,000 characters |", "|---|---|---|---|---|"]
    lines += [
        f"| {kind} | {row['n']} | {row['p50']} | {row['p99']} | {row['p99 at 30,000 characters']} |"
        for kind, row in result["milliseconds"].items()
    ]
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float | None]) -> str:
    mean, low, high = values
    return "–" if mean is None else f"{mean:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    sys.exit(main())
