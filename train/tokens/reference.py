"""Reference: count the tokens of every snippet with the tokenizers that the estimate imitates.

Reads `snippets.jsonl`, writes `counts.npz`: one int32 array per family, in the order of the snippets; and
`counted_by.json`: the versions of what counted.
`ctok` stands for Claude's two families, `quicktok` for o200k. Needed to train and to measure only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import quicktok
from ctok import token_count

CTOK_VERSIONS = {"claude-3": "3.0", "claude-4.7": "4.8"}


def claude(family: str) -> Callable[[str], int]:
    """The tokens that `text` costs inside a message, without the message's own frame.

    At the end of a message ctok lets the frame pay for trailing newlines; inside a window nothing does,
    so a text that ends in one is counted with a letter after it, which costs one token.
    """
    version = CTOK_VERSIONS[family]
    frame = token_count("a", version) - 1

    def count(text: str) -> int:
        if text.endswith("\n"):
            return token_count(text + "a", version) - frame - 1
        return token_count(text, version) - frame

    return count


def o200k() -> Callable[[str], int]:
    """The tokens of `text` in OpenAI's o200k vocabulary; special tokens count as plain text."""
    encoding = quicktok.get_encoding("o200k_base")
    return lambda text: len(encoding.encode_ordinary(text))


def references() -> dict[str, Callable[[str], int]]:
    """One exact (o200k) or near-exact (Claude) counter per estimated family."""
    return {**{family: claude(family) for family in CTOK_VERSIONS}, "o200k": o200k()}


def versions() -> dict[str, str]:
    """What counts: part of every result that leans on the counts."""
    return {name: metadata.version(name) for name in ("ctok", "quicktok-v1")}


def recount(path: Path) -> None:
    """Write the reference counts into a file of snippets: `{"snippets": [{"kind", "text", "counts"}]}`."""
    held = json.loads(path.read_text(encoding="utf-8"))
    held["counted_by"] = versions()
    for snippet in held["snippets"]:
        snippet["counts"] = {family: count(snippet["text"]) for family, count in references().items()}
    rows = ",\n".join(json.dumps(snippet, ensure_ascii=False) for snippet in held["snippets"])
    path.write_text(f'{{"counted_by": {json.dumps(held["counted_by"])}, "snippets": [\n{rows}\n]}}\n', encoding="utf-8")


def main() -> None:
    """Count every snippet once per family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="folder that holds snippets.jsonl")
    parser.add_argument("--recount", type=Path, help="a file of test snippets to bring up to date instead")
    options = parser.parse_args()
    if options.recount:
        recount(options.recount)
        return
    with (options.work / "snippets.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    counts = {family: np.array([count(text) for text in texts], np.int32) for family, count in references().items()}
    np.savez(options.work / "counts.npz", **counts)
    (options.work / "counted_by.json").write_text(json.dumps(versions()) + "\n", encoding="utf-8")
    for family, array in counts.items():
        sys.stdout.write(f"{family:11} {int(array.sum()):>10} tokens in {len(texts)} snippets\n")


if __name__ == "__main__":
    main()
