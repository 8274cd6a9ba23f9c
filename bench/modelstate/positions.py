"""Command: `python -m bench.modelstate.positions --model FILE --texts DIR [--seconds N]`. How many positions of a state can be left out?

A context is evaluated whole, then only some positions of each layer's keys and values are kept, each at its own position, and the
model goes on: over the text that follows (agreement of its 40 next tokens with those of the whole state), and with a question whose answer
is a line of the context (whether all tokens of the answer are those that the whole state gives, and whether they are right). Kept are:

- `recent`   the first four and the last positions;
- `random`   any;
- `rare`     positions of the lines whose words are rarest over all texts, whole lines as clew's packets keep them;
- `h2o`      of each layer, the positions that the context's own queries attended to most, half of the kept ones the last;
- `late`     of each layer, those that the last 32 queries attended to most, beside these;
- `oracle`   those that the following text's queries attend to most, which nobody knows before;
- `text`     the same positions as `rare`, but their text is evaluated anew: what leaving text out of the prompt gives.

Rows go to --out at once, and a call goes on where the last one ended. `--report` writes the results.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import provenance, write_result
from bench.modelstate.torch_model import Case, Loaded, load, make_case, share_same, torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "gguf")
CONTEXT = 384  # below the sliding window of Gemma 3, so that all layers see all of it
SHARES = (0.75, 0.5, 0.25, 0.125)
ARMS = ("recent", "random", "rare", "h2o", "late", "oracle", "text")
SINK = 4
WORD = re.compile(r"[A-Za-z_]\w{2,}")


def main() -> int:
    """Measure until the time is over, or report."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path)
    arguments.add_argument("--texts", type=Path)
    arguments.add_argument("--seconds", type=float, default=200.0)
    arguments.add_argument("--out", type=Path, default=Path("positions.jsonl"))
    arguments.add_argument("--report", action="store_true")
    asked = arguments.parse_args()
    rows = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    if asked.report:
        return report(rows)
    files = sorted(asked.texts.rglob("*.py"), key=lambda path: random.Random(path.name).random())
    rarity = count_words(files)
    done = {row["source"] for row in rows}
    loaded = load(asked.model)
    ends = time.monotonic() + asked.seconds
    with asked.out.open("a") as out:
        for number, file in enumerate(files):
            if time.monotonic() > ends:
                break
            case = None if file.name in done or file.stat().st_size < 3_000 else make_case(loaded, file, CONTEXT, number)
            if case is not None:
                out.writelines(json.dumps({"model": asked.model.name, **row}) + "\n" for row in measure(loaded, case, rarity))
                out.flush()
    return 0


def measure(loaded: Loaded, case: Case, rarity: dict[str, float]) -> list[dict[str, Any]]:
    """Rows of one case: one for each arm and share."""
    whole = loaded.hidden(case.context, output_attentions=True)
    layers = [(layer.keys, layer.values) for layer in whole.past_key_values.layers]
    attended = [weights[0].sum(0) for weights in whole.attentions]  # per layer: queries x keys, over all heads
    everything = [list(range(CONTEXT))] * len(layers)
    follows, seen = go_on(loaded, layers, everything, case.follows)
    answer = ask(loaded, layers, everything, case)
    future = [weights[0].sum(0).sum(0)[:CONTEXT] for weights in seen]
    rows: list[dict[str, Any]] = []
    per_layer = sum(keys.numel() + values.numel() for keys, values in layers) * 2 / CONTEXT  # bytes a position in float16
    for share in SHARES:
        size = round(CONTEXT * share)
        for arm in ARMS:
            kept = choose(arm, size, attended, future, loaded, case, rarity)
            if arm == "text":
                text = [case.context[at] for at in kept[0]]
                found = loaded.hidden(text)
                used = [(layer.keys, layer.values) for layer in found.past_key_values.layers]
                positions, start = [list(range(len(text)))] * len(used), len(text)
            else:
                used, positions, start = layers, kept, CONTEXT
            next_tokens, _ = go_on(loaded, used, positions, case.follows, start=start)
            told, _ = go_on(loaded, used, positions, (*case.asks, *answer), start=start)
            written = told[len(case.asks) - 1 : -1]
            rows.append(
                {
                    "source": case.source, "arm": arm, "share": share, "next": share_same(next_tokens, follows),
                    "answer_same": written == answer, "answer_right": written == list(case.answer)[: len(answer)] ,
                    "answer_right_whole": answer == list(case.answer)[: len(answer)], "bytes": round(per_layer * size),
                    "text_bytes": len(loaded.tokenizer.decode(case.context, skip_special_tokens=True).encode()),
                }
            )  # fmt: skip
    return rows


def go_on(
    loaded: Loaded, layers: Sequence[Any], kept: Sequence[Sequence[int]], tokens: Sequence[int], *, start: int = CONTEXT
) -> tuple[list[int], Any]:
    """Return the next token behind each of `tokens` that follow the kept positions, and what they attended to."""
    cache = loaded.model.model  # only to make a cache of the right kind
    made = loaded.hidden([tokens[0]]).past_key_values.__class__(config=cache.config)
    for index, ((keys, values), own) in enumerate(zip(layers, kept, strict=True)):
        at = torch.tensor(list(own))
        made.update(keys.index_select(2, at), values.index_select(2, at), index)
    places = torch.arange(start, start + len(tokens))[None]
    told = loaded.hidden(tokens, past_key_values=made, position_ids=places, output_attentions=True)
    return loaded.argmax(told.last_hidden_state), told.attentions


def ask(loaded: Loaded, layers: Sequence[Any], kept: Sequence[Sequence[int]], case: Case) -> list[int]:
    """Return the model's greedy answer to the case's question."""
    answer: list[int] = []
    for _ in case.answer:
        told, _ = go_on(loaded, layers, kept, (*case.asks, *answer))
        answer.append(told[-1])
    return answer


def choose(
    arm: str, size: int, attended: Sequence[Any], future: Sequence[Any], loaded: Loaded, case: Case, rarity: dict[str, float]
) -> list[list[int]]:
    """Positions that each layer keeps, in order."""
    layers = len(attended)
    recent = [*range(SINK), *range(CONTEXT - size + SINK, CONTEXT)]
    if arm == "recent":
        return [recent] * layers
    if arm == "random":
        return [sorted(random.Random(f"{case.source} {size}").sample(range(CONTEXT), size))] * layers
    if arm in ("rare", "text"):
        return [rare_lines(size, loaded, case, rarity)] * layers
    chosen: list[list[int]] = []
    for weights, later in zip(attended, future, strict=True):
        score = {"h2o": weights.sum(0), "late": weights[-32:].sum(0), "oracle": later}[arm].clone()
        last = {"h2o": size // 2, "late": 32, "oracle": 0}[arm]
        score[CONTEXT - last :] = math.inf
        chosen.append(sorted(score.topk(size).indices.tolist()))
    return chosen


def rare_lines(size: int, loaded: Loaded, case: Case, rarity: dict[str, float]) -> list[int]:
    """The first positions, and whole lines, those with the rarest words for their length first; the last one that fits is cut."""
    lines: list[list[int]] = [[]]
    for at, token in enumerate(case.context):
        lines[-1].append(at)
        if "\n" in loaded.tokenizer.decode([token]):
            lines.append([])

    def worth(line: list[int]) -> float:
        words = WORD.findall(loaded.tokenizer.decode([case.context[at] for at in line]))
        return sum(rarity.get(word, 1.0) for word in set(words)) / (len(line) + 2)

    kept = list(range(SINK))
    for line in sorted(filter(None, lines), key=worth, reverse=True):
        kept += [at for at in line if at >= SINK][: size - len(kept)]
    return sorted(kept[:size])


def count_words(files: Sequence[Path]) -> dict[str, float]:
    """Logarithm of how many of the files have a word, inverted: rare words are large."""
    count = Counter(word for file in files for word in set(WORD.findall(file.read_text("utf-8", "replace"))))
    return {word: math.log((1 + len(files)) / number) for word, number in count.items()}


def report(rows: list[dict[str, Any]]) -> int:
    """Write and print the results, with intervals over the sources by bootstrap."""
    draw = random.Random(1)
    told: dict[str, Any] = {"sources": len({row["source"] for row in rows})}
    for share in SHARES:
        for arm in ARMS:
            own = [row for row in rows if row["arm"] == arm and row["share"] == share]
            if not own:
                continue
            means = sorted(sum(draw.choice(own)["next"] for _ in own) / len(own) for _ in range(2000))
            told[f"{arm} {share}"] = {
                "next": round(sum(row["next"] for row in own) / len(own), 3),
                "next_95": [round(means[50], 3), round(means[1949], 3)],
                "answer_same": round(sum(row["answer_same"] for row in own) / len(own), 3),
                "answer_right": round(sum(row["answer_right"] for row in own) / len(own), 3),
                "kilobytes": round(sum(row["bytes"] for row in own) / len(own) / 1000),
            }
            print(f"{share:>6} {arm:<7}", json.dumps(told[f"{arm} {share}"]))
    told["answer_right_whole"] = round(sum(row["answer_right_whole"] for row in rows) / max(1, len(rows)), 3)
    told["text_bytes"] = round(sum(row["text_bytes"] for row in rows) / max(1, len(rows)))
    head = provenance([sys.executable.rpartition("/")[2], "-m", "bench.modelstate.positions", "--report"], PACKAGES)
    write_result(RESULTS / f"positions-{head.name}.json", {**head.as_json(), "model": rows[0]["model"], "told": told, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
