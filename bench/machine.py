"""The machine, the program and the command behind a number.

Every result file of every benchmark opens with what this module returns, and is named by the commit of clew that
was measured. Reads /proc, git and the installed packages' metadata; writes only the result file it is asked to write.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "clew"
COMMIT_DIGITS = 12  # enough to stay unique in a large history, short enough for a file's name


@dataclass(frozen=True, slots=True)
class Machine:
    """What the numbers were measured on. `cores` are those this process may use, `memory_mb` is 10^6 bytes."""

    cpu: str
    cores: int
    memory_mb: int
    system: str
    python: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a number comes from: machine, program, versions and the command that repeats it."""

    machine: Machine
    commit: str
    is_dirty: bool
    source_digest: str
    command: tuple[str, ...]
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """Return plain JSON values, keys in a fixed order."""
        return {
            "machine": asdict(self.machine),
            "commit": self.commit,
            "is_dirty": self.is_dirty,
            "source_digest": self.source_digest,
            "command": list(self.command),
            "versions": dict(sorted(self.versions.items())),
        }

    @property
    def name(self) -> str:
        """The result's name: the commit, marked when files of clew differed from it."""
        return self.commit[:COMMIT_DIGITS] + ("-dirty" if self.is_dirty else "")


def describe_machine() -> Machine:
    """Return this machine; a value that the system does not tell is "unknown" or 0."""
    return Machine(
        cpu=_proc_value(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 0),
        memory_mb=int((_proc_value(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]) * 1024 // 1_000_000,
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def provenance(command: Sequence[str], packages: Sequence[str] = ()) -> Provenance:
    """Return machine, commit, versions of `packages`, and the command, for the head of a result file.

    A package that is not installed is left out. Raises CalledProcessError outside a git checkout, because a result
    that cannot be traced to a commit is not a result.
    """
    versions = {"git": _run("git", "--version").removeprefix("git version ")}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return Provenance(
        machine=describe_machine(),
        commit=_run("git", "-C", str(REPOSITORY), "rev-parse", "HEAD"),
        is_dirty=_run("git", "-C", str(REPOSITORY), "status", "--porcelain", "--", str(SOURCE)) != "",
        source_digest=digest_of_tree(SOURCE),
        command=tuple(command),
        versions=versions,
    )


def digest_of_tree(folder: Path, suffix: str = ".py") -> str:
    """Return 12 hex digits over names and bytes of all files below `folder` that end in `suffix`.

    Two checkouts with the same source have the same digest, whatever their commits: the key by which measured rows
    are used again.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(f"*{suffix}")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:COMMIT_DIGITS]


def write_result(path: Path, result: Mapping[str, object]) -> None:
    """Write `result` as JSON, whole or not at all: one line for each row of `rows`, the rest indented."""
    rows = result.get("rows")
    head = json.dumps({key: value for key, value in result.items() if key != "rows"}, indent=1, ensure_ascii=False)
    if isinstance(rows, list):
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)  # pyright: ignore[reportUnknownVariableType]
        head = head.removesuffix("\n}") + f',\n "rows": [\n{lines}\n ]\n}}'
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(head + "\n", encoding="utf-8")
    draft.replace(path)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _proc_value(path: Path, key: str) -> str | None:
    """Return the first value of `key` in a "key : value" file of /proc, or None where there is no such file."""
    if not path.exists():
        return None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None
