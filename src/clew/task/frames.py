"""Find the frames of stack traces in a text.

Reads tracebacks as Python, IPython, pytest, JavaScript, Java, Kotlin, C#, Go, Rust, Ruby, PHP and native
debuggers print them, wherever they stand in a text. Each pattern is anchored at a line's start and has
bounded repeats only, and no line is read beyond `LINE_CHARS_MAX`, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clew.task.vocabulary import load

LINE_CHARS_MAX = 600  # guess: longer lines are data; no printer of frames writes them
FRAMES_MAX = 128  # guess: a recursion repeats itself; the first and the last frames tell, the middle does not


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in a stack trace. `line` is 1-based, 0 where the printer gives none; `function` "" likewise."""

    path: str
    line: int
    function: str = ""


# Where other people's code is installed; what follows is the path inside that package's own repository.
_INSTALLED = ("/site-packages/", "/dist-packages/", "/node_modules/", "/go/pkg/mod/", "/registry/src/", "/gems/")

_IPYTHON_OLD = re.compile(r"^((?:[~/.]|[A-Za-z]:)[^\s:*?<>|]{1,400}\.pyx?) in ([\w.<>]{1,200})\(")
_IPYTHON_HERE = re.compile(r"^-{1,8}> ?(\d{1,7}) ")
_PRINTERS = tuple(
    (printer["mark"], re.compile(printer["pattern"]), re.compile(printer.get("above", "$.")))
    for printer in load("frames.toml", __file__)["printers"]
)


def frames(text: str) -> tuple[Frame, ...]:
    """Return the stack-trace frames that stand in `text`, in order, each once; at most `FRAMES_MAX`.

    Paths are cut to what follows a known folder of installed packages, with forward slashes.
    Cost  one pass over the lines; about 0.6 µs a line that holds no frame.
    """
    found: dict[Frame, None] = {}
    before = ""
    pending: tuple[str, str] | None = None  # an IPython heading names file and function; its arrow names the line
    for line in text.split("\n"):
        if len(line) <= LINE_CHARS_MAX and line:
            if pending and (arrow := _IPYTHON_HERE.match(line)):
                found.setdefault(_frame(pending[0], arrow[1], pending[1]))
                pending = None
            elif heading := _IPYTHON_OLD.match(line):
                pending = (heading[1], heading[2])
            elif (frame := _of_line(line, before)) and not frame.path.startswith("<"):
                found.setdefault(frame)
            before = line
    kept = list(found)
    if len(kept) > FRAMES_MAX:
        kept = kept[: FRAMES_MAX // 2] + kept[-FRAMES_MAX // 2 :]
    return tuple(kept)


def installed_path(path: str) -> str:
    """Return `path` with forward slashes, and without the folder in which its package is installed."""
    path = path.replace("\\", "/").removeprefix("file://").removeprefix("webpack://")
    for mark in _INSTALLED:
        at = path.rfind(mark)
        if at >= 0:
            path = path[at + len(mark) :]
            if mark == "/registry/src/":
                path = path.partition("/")[2]
            break
    return path.partition("?")[0]


def _of_line(line: str, before: str) -> Frame | None:
    for mark, pattern, above in _PRINTERS:
        if mark in line and (found := pattern.search(line)):
            parts = found.groupdict()
            path, function = parts["path"], parts.get("function")
            if owner := parts.get("owner"):
                package = owner.rpartition("/")[2].rpartition(".")[0].replace(".", "/")
                path, function = f"{package}/{path}" if package else path, f"{owner}.{function}"
            if named := above.match(before[:LINE_CHARS_MAX]):
                function = named[1]
            return _frame(path, parts["line"], function)
    return None


def _frame(path: str, line: str, function: str | None) -> Frame:
    name = function or ""
    return Frame(installed_path(path), int(line), "" if name.startswith("<") and name != "<init>" else name)
