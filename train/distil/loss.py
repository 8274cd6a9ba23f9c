"""Loss: nats a token of held-out answers, and of the agent's next call given a window."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.nextaction.likelihood import LikelihoodModel
from train.distil.dataset import read_rows
from train.distil.fit import answer_loss, encode, load_base

WINDOW_TOKENS_MAX = 800  # of a window before the call: a CPU takes five seconds for it with 270 M
CALL_TOKENS_MAX = 200


def open_next_call(path: Path, *, threads: int) -> LikelihoodModel:
    """Return the GGUF model that measures how well a call is foreseen, with room for a window and a call. Whoever opens it closes it."""
    return LikelihoodModel(path, context=WINDOW_TOKENS_MAX + CALL_TOKENS_MAX, threads=threads)


def next_call_loss(model: LikelihoodModel, window: str, call: str) -> float:
    """Return the mean loss of a call's tokens behind a window, in nats."""
    before = model.tokens(f"{window}\nNext call: ", at_start=True)[-WINDOW_TOKENS_MAX:]
    return -float(model.log_probabilities(before, model.tokens(call)[:CALL_TOKENS_MAX]).mean())


class _Session(msgspec.Struct):
    session: str


def held_out_loss(path: Path, data: Path, *, count: int, threads: int) -> list[tuple[str, float]]:
    """Return (session, loss) of `count` rows of a file, spread over it; the loss is of the answer alone, in nats a token."""
    import torch  # lazy: no dependency of clew

    torch.set_num_threads(threads)
    tokenizer, model = load_base(path)
    rows = read_rows(data)
    sessions = [row.session for row in msgspec.json.decode(data.read_bytes(), type=list[_Session])]
    found: list[tuple[str, float]] = []
    for at in range(0, len(rows), max(1, len(rows) // count)):
        tokens, begin = encode(tokenizer, *rows[at])
        with torch.no_grad():
            found.append((sessions[at], float(answer_loss(model, tokens, begin))))
        print(f"\r{len(found)} rows", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found
