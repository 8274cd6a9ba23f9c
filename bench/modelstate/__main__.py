"""Command: `python -m bench.modelstate --model FILE [--seconds N] [--out FILE]`. Is a restored state as good, and how much faster?

Prefixes are the beginnings of this repository's own files, of 384 to 640 tokens. Each is stored through clew (`ModelStates`), and
a number of continuations are asked for: the next lines of the file, other lines, a question. For each continuation three greedy
answers of 24 tokens are written:

- `fresh`      nothing that was evaluated before is used;
- `restored`   from the state, read back from its file;
- `unaligned`  from a state that ends in the middle of a batch, as a server's own prompt cache does.

A row per continuation goes to --out at once, and a call goes on where the last one ended. `--report` writes the results of all rows.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import REPOSITORY, provenance, write_result
from clew.enrich.models import GgufModel, KnownModels, open_model
from clew.enrich.models.gguf import STATE_BATCH
from clew.enrich.models.llama_server import LlamaServer
from clew.enrich.models.prefix import identify_model
from clew.enrich.models.states import ModelIdentity, ModelStates

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("xllamacpp",)
ANSWER_TOKENS = 24
LENGTHS = (512, 384, 640, 384)  # tokens of prefixes, in turn; the shorter ones are cheap enough for many continuations
CONTINUATIONS = 10  # of each prefix
QUESTIONS = (
    "\n\n# What does the code above do?\n# It",
    "\n\nThe first function above is called",
    "\n\ndef test_",
    "\n\nIn one sentence:",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A continuation: tokens of prefix and rest, seconds, bytes of the state, and whether answers are those of the fresh evaluation."""

    number: int
    model: str
    file: str
    prefix: int
    rest: int
    fresh_s: float
    restore_s: float
    rest_s: float
    size: int
    is_same: bool
    is_same_unaligned: bool
    reused: int


def main() -> int:
    """Measure until the time is over, or report."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path)
    arguments.add_argument("--seconds", type=float, default=240.0)
    arguments.add_argument("--most", type=int, default=200, help="continuations of this model")
    arguments.add_argument("--out", type=Path, default=Path("modelstate.jsonl"))
    arguments.add_argument("--report", action="store_true")
    asked = arguments.parse_args()
    rows = [Row(**json.loads(line)) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    if asked.report:
        return report(rows)
    ends = time.monotonic() + asked.seconds
    done = [row for row in rows if row.model == asked.model.name]
    with tempfile.TemporaryDirectory() as home, asked.out.open("a") as out:
        states = ModelStates(Path(home), 10**10)
        with closing(open_model(str(asked.model), folder=Path(home), timeout_s=600, states=states.folder)) as model:
            assert isinstance(model, GgufModel)
            server = model.open_server()
            identity = identify_model(server.props(), KnownModels(Path(home)), batch=STATE_BATCH, build=model.build)
            for number in range(max((row.number for row in done if row.number >= 0), default=0), asked.most // CONTINUATIONS):
                if time.monotonic() > ends:
                    break
                begun = sum(row.number == number for row in done)
                if begun == CONTINUATIONS:
                    continue
                for row in measure(server, states, identity, asked.model.name, number, begun=begun):
                    out.write(json.dumps(asdict(row)) + "\n")
                    out.flush()
                    if time.monotonic() > ends:
                        break
    return 0


def measure(server: LlamaServer, states: ModelStates, identity: ModelIdentity, model: str, number: int, *, begun: int) -> Iterator[Row]:
    """Make the rows of the prefix of this number, but for those that an earlier call made."""
    files = sorted((REPOSITORY / "src" / "clew").rglob("*.py"))
    files = [file for file in files if file.stat().st_size > 9_000]
    file = files[number * 7 % len(files)]
    tokens = server.tokenize(file.read_text("utf-8"))
    length = LENGTHS[number % len(LENGTHS)]
    head = tokens[:length]
    aligned = states.store(server, identity, head, model=model, slot=0, is_checked=False)
    cut = length - 37
    odd = states.store(server, replace_batch(identity), head[:cut], model=model, slot=0, is_checked=False)
    for turn in range(begun, CONTINUATIONS):
        draw = random.Random(f"{number} {turn}")
        start = draw.randrange(len(tokens) - 60)
        rest = tokens[length : length + 8 * turn] if turn % 2 else tokens[start : start + 8 + 4 * turn]
        rest = [*rest, *server.continue_tokens(QUESTIONS[turn % len(QUESTIONS)])]
        whole = [*head, *rest]
        fresh = server.complete(whole, slot=0, tokens_max=ANSWER_TOKENS, is_fresh=True)
        server.erase(0)
        started = time.perf_counter()
        assert states.load(server, aligned, slot=0)
        restore_s = time.perf_counter() - started
        restored = server.complete(whole, slot=0, tokens_max=ANSWER_TOKENS, is_fresh=False)
        server.erase(0)
        assert states.load(server, odd, slot=0)
        unaligned = server.complete(whole, slot=0, tokens_max=ANSWER_TOKENS, is_fresh=False)
        yield (
            Row(
                number, model, file.relative_to(REPOSITORY).as_posix(), length, len(rest), round(fresh.prompt_s, 4), round(restore_s, 5),
                round(restored.prompt_s, 4), aligned.size, restored.tokens == fresh.tokens, unaligned.tokens == fresh.tokens,
                restored.reused,
            )
        )  # fmt: skip


def replace_batch(identity: ModelIdentity) -> ModelIdentity:
    """The identity of a state that may end anywhere."""
    return ModelIdentity(identity.sha256, identity.build, identity.quantisation, identity.context, identity.adapters, 1)


def report(rows: list[Row]) -> int:
    """Write and print the results of all rows, by model."""
    told: dict[str, object] = {}
    for model in sorted({row.model for row in rows}):
        own = [row for row in rows if row.model == model]
        ratios = sorted(row.fresh_s / (row.restore_s + row.rest_s) for row in own)
        told[model] = {
            "n": len(own),
            "prefixes": len({(row.file, row.prefix) for row in own}),
            "same": sum(row.is_same for row in own),
            "same_unaligned": sum(row.is_same_unaligned for row in own),
            "fresh_s": round(statistics.median(row.fresh_s for row in own), 3),
            "restore_ms": round(1000 * statistics.median(row.restore_s for row in own), 2),
            "rest_s": round(statistics.median(row.rest_s for row in own), 3),
            "prompt_speedup": [round(ratios[len(ratios) * share // 100], 1) for share in (5, 50, 95)],
            "prefix_speedup_min": round(min(row.fresh_s * row.prefix / (row.prefix + row.rest) / row.restore_s for row in own)),
            "bytes_per_token": round(statistics.median(row.size / row.prefix for row in own)),
            "whole_prefix_reused": all(row.reused == row.prefix for row in own),
        }
        print(model, json.dumps(told[model]))
    head = provenance([sys.executable.rpartition("/")[2], "-m", "bench.modelstate", "--report"], PACKAGES)
    write_result(RESULTS / f"states-{head.name}.json", {**head.as_json(), "models": told, "rows": [asdict(row) for row in rows]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
