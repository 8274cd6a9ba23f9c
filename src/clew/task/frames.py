"""Find the frames of stack traces in a text.

Reads tracebacks as Python, IPython, pytest, JavaScript, Java, Kotlin, C#, Go, Rust, Ruby, PHP and native
debuggers print them, wherever they stand in a text. Each pattern is anchored at a line's start and has
bounded repeats only, and no line is read beyond `LINE_CHARS_MAX`, so the cost is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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

_PYTHON = re.compile(r'^[ \t>|+E]{0,40}File "([^"\n]{1,400})", line (\d{1,7})(?:, in ([^\s,]{1,200}))?')
_IPYTHON_OLD = re.compile(r"^((?:[~/.]|[A-Za-z]:)[^\s:*?<>|]{1,400}\.pyx?) in ([\w.<>]{1,200})\(")
_IPYTHON_NEW = re.compile(r"^File ([^\s:<>|]{1,400}):(\d{1,7}), in ([\w.<>]{1,200})")
_IPYTHON_HERE = re.compile(r"^-{1,8}> ?(\d{1,7}) ")
_PYTEST = re.compile(r"^([\w./\\~+@-]{1,400}\.pyx?):(\d{1,7}): (?:in ([\w.<>]{1,200})$|[A-Z]\w{0,100}$)")
_JAVASCRIPT = re.compile(
    r"^[ \t]{0,40}at (?:(?:async |new )?([^\s()]{1,200})(?: \[as [^\]\n]{1,80}\])? \()?([^\s()]{1,400}?):(\d{1,7}):\d{1,7}\)?$"
)
_JAVA = re.compile(
    r"^[ \t]{0,40}(?:at )([\w$.<>/@-]{1,300})\.([\w$<>-]{1,200})\(([\w$.-]{1,120}\.(?:java|kt|kts|scala|groovy|clj)):(\d{1,7})\)"
)
_CSHARP = re.compile(r"^[ \t]{0,40}at ([^\s(]{1,300})\([^)\n]{0,300}\) in ([^\n]{1,400}?):line (\d{1,7})")
_GO_PLACE = re.compile(r"^[ \t]{1,8}([^\s:]{1,400}\.go):(\d{1,7})(?: \+0x[0-9a-f]{1,16})?$")
_GO_FUNCTION = re.compile(r"^(?:created by )?([\w./*()\[\]{}-]{1,300}?)(?:\([^)\n]{0,300}\))?(?: in goroutine \d{1,9})?$")
_RUST_PLACE = re.compile(r"^[ \t]{4,40}at (\S{1,400}\.rs):(\d{1,7})(?::\d{1,7})?$")
_RUST_FUNCTION = re.compile(r"^[ \t]{0,8}\d{1,4}: (?:0x[0-9a-f]{1,16} - )?(\S{1,300})$")
_RUST_PANIC = re.compile(r"panicked at (?:'[^'\n]{0,300}', )?([^\s:,']{1,400}\.rs):(\d{1,7})")
_RUST_ERROR = re.compile(r"^[ \t]{0,16}--> ([^\s:]{1,400}):(\d{1,7}):\d{1,7}$")
_RUBY = re.compile(r"^[ \t]{0,40}(?:from |\d{1,4}: (?:from )?)?([^\s:]{1,400}\.rb):(\d{1,7}):in [`'‘]([^'’\n]{1,200})")
_PHP = re.compile(r"^#\d{1,4} ([^\s(]{1,400}\.php)\((\d{1,7})\): ([^\s(]{1,200})")
_NATIVE = re.compile(
    r"^[ \t]{0,8}#\d{1,4} +(?:0x[0-9a-f]{1,16} )?in ([^\s(]{1,200})[^\n]{0,300}? (?:at )?([^\s:]{1,400}\.(?:c|cc|cpp|cxx|h|hpp"
    r"|hh|m|mm|swift)):(\d{1,7})"
)


def frames(text: str) -> tuple[Frame, ...]:
    """Return the stack-trace frames that stand in `text`, in order, each once; at most `FRAMES_MAX`.

    Paths are cut to what follows a known folder of installed packages, with forward slashes.
    Cost  one pass over the lines; about 0.2 µs a line that holds no frame.
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
    if "File " in line:
        if found := _PYTHON.match(line):
            return _frame(found[1], found[2], found[3])
        if found := _IPYTHON_NEW.match(line):
            return _frame(found[1], found[2], found[3])
    if "at " in line:
        return _at(line, before)
    if ".py" in line and (found := _PYTEST.match(line)):
        return _frame(found[1], found[2], found[3])
    if ".go:" in line and (found := _GO_PLACE.match(line)):
        above = _GO_FUNCTION.match(before[:LINE_CHARS_MAX])
        return _frame(found[1], found[2], above[1].removeprefix("created by ") if above else "")
    if "--> " in line and (found := _RUST_ERROR.match(line)):
        return _frame(found[1], found[2], "")
    if ".rb:" in line and (found := _RUBY.match(line)):
        return _frame(found[1], found[2], found[3])
    if line.lstrip().startswith("#"):
        if found := _PHP.match(line):
            return _frame(found[1], found[2], found[3])
        if found := _NATIVE.match(line):
            return _frame(found[2], found[3], found[1])
    return None


def _at(line: str, before: str) -> Frame | None:
    """A line with the word that JavaScript, Java, C# and Rust share."""
    if found := _JAVA.match(line):
        package = found[1].rpartition("/")[2].rpartition(".")[0].replace(".", "/")
        return _frame(f"{package}/{found[3]}" if package else found[3], found[4], f"{found[1]}.{found[2]}")
    if found := _CSHARP.match(line):
        return _frame(found[2], found[3], found[1])
    if found := _RUST_PLACE.match(line):
        above = _RUST_FUNCTION.match(before[:LINE_CHARS_MAX])
        return _frame(found[1], found[2], above[1] if above else "")
    if (found := _JAVASCRIPT.match(line)) and not found[2].startswith(("node:", "native", "http://", "https://")):
        return _frame(found[2], found[3], found[1])
    if "panicked at " in line and (found := _RUST_PANIC.search(line)):
        return _frame(found[1], found[2], "")
    if found := _NATIVE.match(line):
        return _frame(found[2], found[3], found[1])
    return None


def _frame(path: str, line: str, function: str | None) -> Frame:
    name = function or ""
    return Frame(installed_path(path), int(line), "" if name.startswith("<") and name != "<init>" else name)
