"""Measure over the trees of real repositories: does a quoted place lead, is an absent name called so, is every word in some field?

    python -m bench.places TREE... [--n 24] [--budget 2000]

Draws definitions of each tree with a fixed seed. Prints one line a tree: shares of `n` draws.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import clew
from clew.codebase.decoding import decode_source
from clew.codebase.file_records import build_file_delta
from clew.codebase.parse import HEAD_BYTES, parse_file
from clew.codebase.scan import FileCategory, classify_file, read_folder_rules, scan_files
from clew.engine import Engine
from clew.records import RemarkKind
from clew.settings import Settings
from clew.text.postings import hash_term, unpack_postings
from clew.text.words import extract_words, split_word

SEED = 7
LINES_MIN = 5  # of a definition that is drawn: a line of a shorter one may be another's


def main() -> None:
    """Print the shares for each tree."""
    parser = argparse.ArgumentParser(prog="bench.places", description=__doc__)
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--n", type=int, default=24)
    parser.add_argument("--budget", type=int, default=2000)
    chosen = parser.parse_args()
    for tree in chosen.trees:
        with tempfile.TemporaryDirectory() as home, clew.open(settings=Settings(Path(home)), is_in_memory=True) as engine:
            engine.index(tree)
            print(tree.name, *measure(engine, tree.resolve(), chosen.n, chosen.budget), sep="  ")


def measure(engine: Engine, tree: Path, n: int, budget_tokens: int) -> list[str]:
    """Return the shares of one indexed tree, in words."""
    defined: list[tuple[str, str, int, int]] = []
    names: set[str] = set()
    words = lost = 0
    files = scan_files(tree).files
    rules = read_folder_rules(tree, [file.path for file in files])
    for file in files:
        data = (tree / file.path).read_bytes()
        if classify_file(file.path, file.size, data[:HEAD_BYTES], rules) is not FileCategory.TEXT or file.path.endswith(".ipynb"):
            continue
        data, _ = decode_source(data)
        facts = parse_file(file.path, data)
        names.update(symbol.name for symbol in facts.symbols)
        defined += [
            (file.path, symbol.name, symbol.start_line, symbol.end_line)
            for symbol in facts.symbols
            if symbol.kind in ("function", "method") and symbol.end_line - symbol.start_line >= LINES_MIN
        ]
        segment = build_file_delta(file.path, data, facts, (), size=len(data), stamp=1).segment
        known = set(unpack_postings(segment).terms.tolist()) if segment else set[int]()
        held = set(extract_words(data.decode("utf-8", "replace")))
        words += len(held)
        lost += sum(not known.issuperset(hash_term(term) for term in split_word(word)) for word in held)
    draw = random.Random(SEED)
    picked = [draw.choice(defined) for _ in range(n)] if defined else []
    first = shown = absent = 0
    for path, name, start, end in picked:
        line = (start + end) // 2
        entries = engine.retrieve(tree, f"{path}:{line}: error", budget_tokens=budget_tokens, tokenizer="chars4").entries
        first += bool(entries) and entries[0].path == path and entries[0].start <= line <= entries[0].end
        shown += any(entry.path == path and entry.start <= line <= entry.end for entry in entries)
        other = name[: len(name) // 2] + "qz" + name[len(name) // 2 :]
        packet = engine.retrieve(tree, other, budget_tokens=budget_tokens, tokenizer="chars4")
        absent += other not in names and any(remark.kind is RemarkKind.NO_SUCH_NAME for remark in packet.remarks)
    count = max(len(picked), 1)
    return [
        f"place first {first / count:.2f}",
        f"line shown {shown / count:.2f}",
        f"absent said {absent / count:.2f}",
        f"words in no field {lost / max(words, 1):.4f}",
    ]


if __name__ == "__main__":
    main()
