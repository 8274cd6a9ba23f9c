"""Pairs: what the packages say about their own code, as numbers.

Reads `sources.toml` and the packages; writes `pairs.npz` and `terms.txt` into the work folder. For every function, type and
file that clew's parser finds: the terms of its docstring (the question) and of its name, header and body without the
docstring (the answer), cut as `clew.text.postings` cuts what it embeds. Terms are clew's search terms, numbered in the order
in which they were met, so the same packages give the same bytes. No text is kept.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import numpy as np
import packages

from clew.codebase.facts import FUNCTION_KINDS, TYPE_KINDS, FileFacts, Symbol
from clew.codebase.languages import LANGUAGES, detect_language
from clew.codebase.parse import parse_file
from clew.codebase.roles import is_test_path
from clew.text.postings import EMBEDDED_CHARS_MAX
from clew.text.words import extract_terms

HERE = Path(__file__).parent
PROJECT_BYTES_MAX = 1_000_000  # of source, files drawn by the hash of their path: no project rules, and the step takes minutes
DOCUMENTED_MAX, UNDOCUMENTED_MAX = 2_500, 600  # per project
DOC_TERMS_MAX = 200  # longer docstrings are manuals
DOC_TERMS_MIN = 3
LINE_BYTES_MEAN_MAX = 160  # denser files are minified
GROUPS = {
    "python": "python", "javascript": "script", "typescript": "script", "tsx": "script", "go": "go", "rust": "rust", "java": "jvm",
    "kotlin": "jvm", "c": "c", "cpp": "c", "ruby": "ruby", "php": "php", "csharp": "other", "swift": "other",
}  # fmt: skip
KINDS = ("function", "type", "file")
PARTS = ("name", "header", "body", "doc")
_LEGAL = re.compile(r"copyright|licen[cs]ed? under|permission is hereby|all rights reserved|SPDX-License|@license", re.IGNORECASE)
_MARKS = re.compile(r"^[rRuUbB]?(\"\"\"|''')|(\"\"\"|''')$|^(//[/!]?|\*|#|/\*\*?|--)\s?|\*/$")
_SKIPPED = re.compile(
    r"(^|/)(node_modules|vendor|vendored|_vendor|third_party|thirdparty|external|extern|testdata|tests?|testing|specs?|fixtures|locales?|i18n|"
    r"migrations|umd|examples?|benchmarks?|docs?)/|\.min\.|[._-](bundle|umd|global|prod|production)\b|_pb2|\.pb\.go$|\.generated\.|zz_generated"
)  # fmt: skip


class Terms:
    """Numbers of terms in the order of their first sight, and in how many projects each stands."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.projects = array("i")
        self._last = array("i")

    def of(self, text: str, project: int, most: int) -> list[int]:
        """The numbers of a text's first terms."""
        found: list[int] = []
        for term in extract_terms(text)[:most]:
            number = self.numbers.setdefault(term, len(self.numbers))
            if number == len(self.projects):
                self.projects.append(0)
                self._last.append(-1)
            if self._last[number] != project:
                self._last[number] = project
                self.projects[number] += 1
            found.append(number)
        return found


class Table:
    """Items in columns: project, path (a number), kind and group of each, and four lists of term numbers."""

    def __init__(self) -> None:
        self.columns = {name: array("i") for name in ("project", "path", "kind", "group")}
        self.lists = {part: array("i") for part in PARTS}
        self.ends = {part: array("q", [0]) for part in PARTS}

    def add(self, row: Sequence[int], lists: Sequence[Sequence[int]]) -> None:
        """Append one item."""
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)
        for part, numbers in zip(PARTS, lists, strict=True):
            self.lists[part].extend(numbers)
            self.ends[part].append(len(self.lists[part]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as numpy arrays, for `np.savez`."""
        found = {name: np.array(column, np.int32) for name, column in self.columns.items()}
        found |= {part: np.array(numbers, np.int32) for part, numbers in self.lists.items()}
        return found | {f"{part}_ends": np.array(ends, np.int64) for part, ends in self.ends.items()}


def main() -> None:
    """Write `pairs.npz` and `terms.txt`, and print what each project gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder with the packages; both files are written there")
    parser.add_argument("--every", type=int, default=1, help="use one package in so many, for trials")
    options = parser.parse_args()
    rows = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))["source"][:: options.every]
    table, numbers, groups = Table(), Terms(), sorted(set(GROUPS.values()))
    for project, source in enumerate(packages.Source(**row) for row in rows):
        folder = packages.fetch(source, options.work)
        found = (packages.version_of(source.store, folder), packages.licence_of(source.store, folder))
        if found != (source.version, source.licence):
            raise SystemExit(f"{source.store} {source.name}: found {found}, the list says {(source.version, source.licence)}")
        kept, seen = [0, 0], set[tuple[str, str]]()
        for at, (path, data) in enumerate(_sources(source, folder)):
            facts = parse_file(path, data)
            children: dict[int, list[Symbol]] = {}
            for symbol in facts.symbols:
                children.setdefault(symbol.parent, []).append(symbol)
            for number, symbol, kind in _symbols(facts):
                name, header, body = _answer(facts, symbol, children.get(number, []), data, path)
                doc = "" if kind == 2 and _LEGAL.search(symbol.docstring) else symbol.docstring
                has_doc = len(doc.split()) >= DOC_TERMS_MIN
                if kept[has_doc] >= (UNDOCUMENTED_MAX, DOCUMENTED_MAX)[has_doc] or (name, doc) in seen:
                    continue
                seen.add((name, doc))
                kept[has_doc] += 1
                room = EMBEDDED_CHARS_MAX - len(name) - len(header)
                lists = [
                    numbers.of(name, project, 60),
                    numbers.of(header[:EMBEDDED_CHARS_MAX], project, 120),
                    numbers.of(body[: max(0, room)], project, 400),
                    numbers.of(doc if has_doc else "", project, DOC_TERMS_MAX),
                ]
                table.add((project, at, kind, groups.index(GROUPS[facts.language])), lists)
        print(f"{source.store:7} {source.name:34} {kept[1]:6} {kept[0]:6}", flush=True)
    options.work.mkdir(parents=True, exist_ok=True)
    about = {"projects": np.array([f"{row['store']}:{row['name']}" for row in rows]), "groups": np.array(groups)}
    about["split"] = np.array([row["split"] for row in rows])
    np.savez(options.work / "pairs.npz", term_projects=np.array(numbers.projects, np.int32), **about, **table.arrays())
    (options.work / "terms.txt").write_text("\n".join(numbers.numbers), encoding="utf-8", errors="surrogatepass")
    sys.stdout.write(f"{len(table.columns['project'])} items, {len(numbers.numbers)} terms\n")


def _sources(source: packages.Source, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The code files of a package that people wrote and that are no tests, in the order of the hash of their path."""
    chosen = []
    for path, data in packages.files(source.store, folder):
        language = detect_language(path, data[:8192])
        if language not in LANGUAGES or language not in GROUPS or len(data) > packages.FILE_BYTES_MAX:
            continue
        if is_test_path(path) or _SKIPPED.search(path) or len(data) > LINE_BYTES_MEAN_MAX * (data.count(b"\n") + 1):
            continue
        # Type declarations come after the code that they repeat: the first of two equal items is kept.
        chosen.append(
            (path.endswith((".d.ts", ".d.mts", ".d.cts")), blake2b(path.encode("utf-8", "replace"), digest_size=8).digest(), path, data)
        )
    size = 0
    for _, _, path, data in sorted(chosen):
        size += len(data)
        if size > PROJECT_BYTES_MAX:
            return
        yield path, data


def _symbols(facts: FileFacts) -> Iterator[tuple[int, Symbol, int]]:
    for at, symbol in enumerate(facts.symbols):
        if at == 0:
            yield at, symbol, 2
        elif symbol.kind in FUNCTION_KINDS and symbol.kind != "test":
            yield at, symbol, 0
        elif symbol.kind in TYPE_KINDS:
            yield at, symbol, 1


def _answer(facts: FileFacts, symbol: Symbol, children: Sequence[Symbol], data: bytes, path: str) -> tuple[str, str, str]:
    """Name, header and body as `clew.codebase.file_records` gives them to a vector, without the docstring."""
    if symbol is facts.symbols[0]:
        name = PurePosixPath(path).name.split(".")[0]
        body = b"\n".join(data[start:end] for start, end in facts.gaps)
        header = ""
    else:
        name = symbol.name if symbol.name == symbol.qualname else f"{symbol.name} {symbol.qualname}"
        header = data[symbol.signature_start : symbol.signature_end].decode("utf-8", "replace")
        at, ranges = max(symbol.signature_end, symbol.start), []
        for child in children:
            if child.start > at:
                ranges.append((at, child.start))
            at = max(at, child.end)
        if at < symbol.end:
            ranges.append((at, symbol.end))
        body = b"\n".join(data[start:end] for start, end in ranges)
    return name, header, _without(body.decode("utf-8", "replace"), symbol.docstring)


def _without(body: str, docstring: str) -> str:
    """The body less the lines of its docstring, which stands in it indented."""
    lines = {line.strip() for line in docstring.splitlines() if line.strip()}
    if not lines:
        return body
    kept = []
    for line in body.splitlines():
        bare = line.strip()
        if not lines & {bare, bare.strip("\"'").strip(), _MARKS.sub("", bare).strip()}:
            kept.append(line)
    return "\n".join(kept)


if __name__ == "__main__":
    main()
