"""How large the package is, and how soon a command answers."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping

from bench.doors import environment
from bench.machine import REPOSITORY, SOURCE
from bench.score.figure import Context, Figure, Value

ROUNDS = 7


def measure(context: Context) -> Mapping[str, Value]:
    """Count lines and bytes of what the wheel holds; time `clew --version` beside a bare interpreter."""
    files = [path for path in sorted(SOURCE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in files:
            wheel.write(path, path.relative_to(SOURCE))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ratios: list[float] = []
    for _ in range(ROUNDS):
        bare, own = (_seconds(context, words) for words in (["-c", "pass"], ["-m", "clew", "--version"]))
        ratios.append(own / bare)
    return {
        "lines of Python in the wheel": Value(sum(path.read_bytes().count(b"\n") for path in files if path.suffix == ".py"), "", "lower"),
        "bytes of the wheel": Value(len(packed.getvalue()), "", "lower"),
        "dependencies": Value(len(project["dependencies"]), "", "lower"),
        "`clew --version` by a bare interpreter": Value.of_repeats(ratios, unit="×"),
    }


def _seconds(context: Context, words: list[str]) -> float:
    """Processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=environment(context.work), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


FIGURE = Figure("sizes", "One small package.", measure)
