"""Find the frames of stack traces in a text.

Knows the formats of Python, IPython, pytest, JavaScript, Java, Kotlin, C#, Go, Rust, Ruby, PHP and native debuggers
(`frames.toml`). Each pattern is anchored at a line's start and has bounded repeats only, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clew.task.vocabulary import load_toml

LINE_CHARS_MAX = 600  # guess: longer lines are data; no printer of frames writes them
FRAMES_MAX = 128  # guess: a recursion repeats itself; the first and the last frames tell, the middle does not


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One frame of a stack trace: file, 1-based line and function; line 0 and function "" where the trace has none."""

    path: str
    line: int
    function: str = ""


# Where other people's code is installed; what follows is the path inside that package's own repository.
_INSTALLED = ("/site-packages/", "/dist-packages/", "/node_modules/", "/go/pkg/mod/", "/registry/src/", "/gems/")

_IPYTHON_OLD = re.compile(r"^((?:[~/.]|[A-Za-z]:)[^\s:*?<>|]{1,400}\.pyx?) in ([\w.<>]{1,200})\(")
_IPYTHON_HERE = re.compile(r"^-{1,8}> ?(\d{1,7}) ")
_PRINTERS = tuple(
    (printer["mark"], re.compile(printer["pattern"]), re.compile(printer.get("above", "$.")))
    for printer in load_toml("frames.toml", __file__)["printers"]
)


def find_stack_frames(text: str) -> tuple[StackFrame, ...]:
    """Return the stack frames in a text, in order, each once; of more than `FRAMES_MAX` the first and the last.

    Paths have forward slashes and are relative to a known folder of installed packages, if they lie in one.
    Cost  one pass over the lines; about 0.6 µs a line that holds no frame.
    """
    found: dict[StackFrame, None] = {}
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


def strip_install_dir(path: str) -> str:
    """Return a path with forward slashes, made relative to the folder that packages are installed in (`site-packages`, `node_modules`)."""
    path = path.replace("\\", "/").removeprefix("file://").removeprefix("webpack://")
    if path.startswith("package:"):  # Dart's name for what is below a package's `lib`
        path = "lib/" + path.partition("/")[2]
    for mark in _INSTALLED:
        at = path.rfind(mark)
        if at >= 0:
            path = path[at + len(mark) :]
            if mark == "/registry/src/":
                path = path.partition("/")[2]
            break
    return path.partition("?")[0]


def _of_line(line: str, before: str) -> StackFrame | None:
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


def _frame(path: str, line: str, function: str | None) -> StackFrame:
    name = function or ""
    return StackFrame(strip_install_dir(path), int(line), "" if name.startswith("<") and name != "<init>" else name)
