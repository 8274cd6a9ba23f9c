"""Loss: nats a token of held-out answers, and of the agent's next call given a window, under a model that transformers loads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from train.distil.dataset import read_rows
from train.distil.fit import answer_loss, encode, load_base

WINDOW_TOKENS_MAX = 900  # of a window before the call: a CPU takes five seconds for it with 270 M


class NextCall:
    """Measures how well a model foresees a call: `measure(window, call)` returns the mean loss in nats a token."""

    def __init__(self, path: Path, *, threads: int) -> None:
        import torch  # lazy: only this needs it, and it is no dependency of clew

        torch.set_num_threads(threads)
        self._tokenizer, self._model = load_base(path)

    def measure(self, window: str, call: str) -> float:
        """Return the loss of a call behind a window."""
        import torch  # lazy: no dependency of clew

        head: list[int] = self._tokenizer(window + "\nNext call: ")["input_ids"][-WINDOW_TOKENS_MAX:]
        tail: list[int] = self._tokenizer(call, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            return float(answer_loss(self._model, head + tail, len(head)))


def held_out_loss(path: Path, data: Path, *, count: int, threads: int) -> list[tuple[str, float]]:
    """Return (session, loss) of `count` rows of a file, spread over it; the loss is of the answer alone, in nats a token."""
    import msgspec  # lazy: beside torch's it costs nothing
    import torch  # lazy: no dependency of clew

    torch.set_num_threads(threads)
    tokenizer, model = load_base(path)
    rows = read_rows(data)
    sessions = [row["session"] for row in msgspec.json.decode(data.read_bytes(), type=list[dict[str, Any]])]
    found: list[tuple[str, float]] = []
    for at in range(0, len(rows), max(1, len(rows) // count)):
        tokens, begin = encode(tokenizer, *rows[at])
        with torch.no_grad():
            found.append((sessions[at], float(answer_loss(model, tokens, begin))))
        print(f"\r{len(found)} rows", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found
