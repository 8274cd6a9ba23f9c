"""Command: `python -m bench.secrets --tree NAME=DIR … --sessions DIR`. How many credentials pass, what else is masked, how fast.

The forms are those of tests/credential_forms.py, each drawn with ten seeds, as text and inside a line of JSON. Trees and
sessions are looked at for what is masked in them: a place masked there is mostly a mistake, since credentials are seldom
committed, and is printed with `--show` so that a person can say. Beside clew: detect-secrets with its usual plugins, and the
net of an earlier commit (`--before`). Of sessions only numbers are kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import lzma
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.machine import REPOSITORY, provenance, write_result

sys.path.insert(0, str(REPOSITORY / "tests"))
from credential_forms import Form, credentials, harmless, inside_json, left_over

from clew.text import secrets

RESULTS = Path(__file__).parent / "results"
SEEDS = range(20, 30)
SLOW_BYTES_MAX = 600_000  # of a tree, for a rival of 0.05 MB/s
FILE_BYTES_MAX = 1_000_000
Mask = Callable[[bytes], bytes]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.secrets", description=__doc__)
    parser.add_argument("--tree", action="append", default=[], metavar="NAME=DIR", help="a folder of code; may be repeated")
    parser.add_argument("--sessions", type=Path, metavar="DIR", help="a folder of transcripts (.jsonl, .jsonl.xz)")
    parser.add_argument("--before", default="", metavar="COMMIT", help="measure the net of this commit as well")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N of the places masked in each tree")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    trees = {name: list(files_of(Path(folder))) for name, _, folder in (each.partition("=") for each in given.tree)}
    arms: dict[str, tuple[Mask, int]] = {"clew": (secrets.mask_bytes, 0)}
    if given.before:
        arms[f"clew at {given.before}"] = (earlier(given.before), 0)
    arms["detect-secrets"] = (rival, SLOW_BYTES_MAX)
    figures: dict[str, object] = {}
    for name, (mask, bytes_max) in arms.items():
        seeds = list(SEEDS)[: 1 if bytes_max else None]
        figures[name] = {
            "credentials": passed([form for seed in seeds for form in credentials(seed)], mask),
            "harmless": changed([form for seed in seeds for form in harmless(seed)], mask),
            "trees": {tree: over(data, mask, bytes_max) for tree, data in trees.items()},
        }
    if given.sessions:
        read = list(transcripts_in(given.sessions))
        masks = {name: secrets.mask_lines if name == "clew" else mask for name, (mask, bytes_max) in arms.items() if not bytes_max}
        figures["sessions"] = {name: over(read, mask, 0) for name, mask in masks.items()}
    command = ("python", "-m", "bench.secrets", *(f"--tree={name}=…" for name in trees), *(["--sessions=…"] if given.sessions else []))
    source = provenance((*command, f"--before={given.before}"), ("ahocorasick_rs", "detect-secrets"))
    write_result(given.results / f"{source.name}.json", {"name": source.name, **source.as_json(), "figures": figures})
    for name, of_arm in figures.items():
        print(name, of_arm)
    for tree, data in trees.items() if given.show else ():
        for place in list(places(data))[: given.show]:
            print(tree, place)
    return 0


def passed(forms: Sequence[Form], mask: Mask) -> dict[str, float]:
    """Return how many of the credentials are left, as text and inside JSON, and how many that is of 150."""
    plain = sum(left_over(form, mask(form.text.encode()).decode()) for form in forms)
    inside = sum(left_over(form, mask(inside_json(form.text).encode()).decode()) for form in forms)
    return {"forms": len(forms), "left": plain, "left_in_json": inside, "left_of_150": round(max(plain, inside) / len(forms) * 150, 2)}


def changed(forms: Sequence[Form], mask: Mask) -> dict[str, float]:
    """Return how many of the harmless texts are changed, and how many that is of 100."""
    count = sum(mask(form.text.encode()) != form.text.encode() for form in forms)
    return {"forms": len(forms), "masked": count, "masked_of_100": round(count / len(forms) * 100, 2)}


def over(data: Sequence[bytes], mask: Mask, bytes_max: int) -> dict[str, float]:
    """Return megabytes, places masked, places a megabyte, and megabytes a second of this process's time."""
    size = lines = 0
    started = time.process_time()
    for each in data:
        clean = mask(each)
        size += len(each)
        if clean != each:
            lines += sum(left != right for left, right in zip(each.split(b"\n"), clean.split(b"\n"), strict=False))
        if bytes_max and size >= bytes_max:
            break
    took = time.process_time() - started
    mb = size / 1e6
    return {"mb": round(mb, 2), "lines_masked": lines, "lines_per_mb": round(lines / mb, 2), "mb_per_s": round(mb / took, 2)}


def places(data: Sequence[bytes]) -> Iterator[str]:
    """Each line of these files that is masked, as it then stands."""
    for each in data:
        for left, right in zip(each.split(b"\n"), secrets.mask_bytes(each).split(b"\n"), strict=True):
            if left != right:
                yield right.decode(errors="replace").strip()[:200]


def files_of(folder: Path) -> Iterator[bytes]:
    """The text files below a folder, as git lists them where it does."""
    listed = subprocess.run(["git", "-C", str(folder), "ls-files", "-z"], capture_output=True, check=False)
    names = [folder / name for name in listed.stdout.decode().split("\0") if name] or sorted(folder.rglob("*"))
    for name in names:
        if name.is_file() and not name.is_symlink() and name.stat().st_size <= FILE_BYTES_MAX:
            data = name.read_bytes()
            if b"\0" not in data[:8_000]:
                yield data


def transcripts_in(folder: Path) -> Iterator[bytes]:
    """The transcripts below a folder."""
    for file in sorted(folder.rglob("*.jsonl*")):
        data = file.read_bytes()
        yield lzma.decompress(data) if file.suffix == ".xz" else data


def earlier(commit: str) -> Mask:
    """The `mask` of an earlier commit, whose net was one file."""
    code = subprocess.run(
        ["git", "-C", str(REPOSITORY), "show", f"{commit}:src/clew/text/secrets.py"], capture_output=True, check=True
    ).stdout
    with tempfile.NamedTemporaryFile(suffix=".py") as file:
        file.write(code)
        file.flush()
        spec = importlib.util.spec_from_file_location("earlier_secrets", file.name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    mask: Mask = module.mask
    return mask


def rival(data: bytes) -> bytes:
    """The data without what detect-secrets finds, line by line, with its usual plugins and filters."""
    from detect_secrets import SecretsCollection  # only where it is installed
    from detect_secrets.settings import default_settings

    with tempfile.NamedTemporaryFile(suffix=".txt") as file, default_settings():
        file.write(data)
        file.flush()
        found = SecretsCollection()
        found.scan_file(file.name)
        values: list[str] = [secret.secret_value or "" for _, secret in found]
    for value in sorted(values, key=len, reverse=True):
        if value:
            data = data.replace(value.encode(), b"[masked:found]")
    return data


if __name__ == "__main__":
    sys.exit(main())
