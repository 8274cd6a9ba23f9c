"""Find the words of a text that may name a place in code: paths, identifiers, quotes, errors, stack frames.

Whether a name exists in a repository is not checked. No pattern here backtracks beyond a bounded width, so the cost is linear in
the text, whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from clew.task.frames import StackFrame, find_stack_frames, strip_install_dir
from clew.task.vocabulary import BRANDS, COMMON_CALLS, EXTENSIONS, FILE_NAMES, FOLDERS

TOKEN_CHARS_MAX = 200  # guess: longer runs are data, not names
KEPT_MAX = 256  # guess: of each kind; a question that names more places names none
ERROR_CHARS_MAX = 400  # guess: error messages beyond it carry payload
TEXT_CHARS_MAX = 400_000  # a longer text is read at its two ends, half each; no question is that long, pasted logs are


@dataclass(frozen=True, slots=True)
class Clues:
    """The words of a text that may name a place in code. Each tuple in order of first appearance, no repetition, at most `KEPT_MAX` long.

    paths        (path, line): forward slashes, without `./` and without the folder of an installed package;
                 line 1-based, 0 where none is named. A file that is named with two lines stands twice, and
                 once without a line only if no line is ever named.
    dotted       names of several parts, joined by dots whatever the language writes: `pkg.mod.Class.method`.
    identifiers  single names that look like code: snake_case, camelCase, CONSTANTS, called or backticked words,
                 error codes; the last parts of `dotted` included.
    quoted       contents of backticks and of quotation marks, verbatim.
    errors       lines that state an error, verbatim but for surrounding space.
    frames       places in stack traces.
    """

    paths: tuple[tuple[str, int], ...] = ()
    dotted: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    frames: tuple[StackFrame, ...] = ()


_DOMAINS = (".com", ".org", ".net", ".io", ".dev", ".edu", ".gov")

_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"'`)\]}|]{1,2000}")
_HOSTED = re.compile(
    r"[^/]{1,100}/[^/]{1,100}/[^/]{1,100}/(?:-/)?(?:blob|blame|tree|raw|edit"
    r"|src)/[^/]{1,200}/([^#?]{1,500})(?:\?[^#]{0,200})?(?:#L?(\d{1,7}))?"
)
_HOSTED_RAW = re.compile(r"raw\.githubusercontent\.com/[^/]{1,100}/[^/]{1,100}/[^/]{1,200}/([^#?]{1,500})")
_CHUNK = re.compile(r"[^\s\"'`<>|,;=!?&*{}\[\]\u201c\u201d\u2018\u2019]+")
_PLACE = re.compile(r"(?::(\d{1,7})(?:[:.-]\d{1,7})?|#L(\d{1,7})(?:-L?\d{1,7})?|\((\d{1,7})(?:,\d{1,7})?\)?):?$")
_LINE_AFTER = re.compile(r"([\w./\\+@-]{3,200}\.\w{1,8})[\"'`)]{0,2},? (?:on |at )?lines? (\d{1,7})")
_LINE_BEFORE = re.compile(r"\blines? (\d{1,7})(?:-\d{1,7})? (?:of|in) [\"'`(]{0,2}([\w./\\+@-]{3,200}\.\w{1,8})")
_NAME = re.compile(r"(?<!\w)[^\W\d][\w$]*(?:(?:\.|::|->|\?\.)[^\W\d][\w$]*)*\(?")
_JOINT = re.compile(r"\.|::|->|\?\.")
_RARE = re.compile(r"[a-z0-9][A-Z]|[A-Za-z0-9]_+[A-Za-z0-9]|^_+[A-Za-z]|[A-Z]{2}[a-z]{2}|^[A-Z]{1,8}-?\d{2,7}$|^[A-Z]{3,}\d|^[a-z]{3,}\d+$")
_IMPORT = re.compile(r"^[ \t>.]{0,16}from ([\w.]{1,200}) import \(?([\w, \t*]{1,400})", re.MULTILINE)
_BACKTICKS = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{1,160})\1(?!`)")
_DOUBLE = re.compile(r"(?<!File )[\"\u201c]([^\"\u201c\u201d\n]{2,120})[\"\u201d]")
_SINGLE = re.compile(r"(?<![\w'])'([^'\n]{2,80})'(?![\w'])|\u2018([^\u2018\u2019\n]{2,80})\u2019")
_ERROR = re.compile(
    r"^(?:[\w.$]{0,120}(?:Error|Exception|(?<=[A-Za-z])Warning|Failure|Panic|Fault)(?:\(\d{1,6}\))?(?:$|[: \[(])"
    r"|Caused by: |Exception in thread |(?:fatal|panic|error|ERROR|FATAL)(?:\[\w{1,12}\])?: |FAILED |ERROR "
    r"|thread '[^'\n]{0,80}' panicked at "
    r"|AssertionError$|KeyboardInterrupt$|Segmentation fault|Unhandled |Uncaught )"
)
_COMPILER = re.compile(r"^(?:[A-Za-z]:)?[^\s:(]{1,300}(?::\d{1,7}(?::\d{1,7})?|\(\d{1,7},\d{1,7}\)): (?:fatal )?(?:error|Error|ERROR)\b")
_CODE = re.compile(r"\b(?:[A-Z]{1,6}\d{3,5}|E[A-Z]{4,12}|errno[ =]?\d{1,4})\b")
_LABEL = re.compile(r"^[ \t>|*#]{0,12}E?[ \t]{0,8}")


def find_clues(text: str) -> Clues:
    """Return the paths, names, quotes, error lines and stack frames of a text (an issue, a prompt, a tool's output).

    Comments of issue templates (`<!-- … -->`) and ticked checklist lines are not read.
    Cost   linear; about 0.15 µs a character of an issue, 5 kB in under 1 ms, on one core of a small machine.
    """
    text = _readable(text)
    hosted, names_of_urls, rest = _urls(text)
    trace = find_stack_frames(text)
    paths = dict.fromkeys(hosted)
    paths.update(dict.fromkeys((frame.path, frame.line) for frame in trace if _is_local(frame.path)))
    paths.update(_paths(rest))
    with_line = {path for path, line in paths if line}
    quoted = _quoted(rest)
    dotted, identifiers = _names(rest, quoted)
    for name in names_of_urls:
        dotted.setdefault(name)
        identifiers.setdefault(name.rpartition(".")[2])
    for frame in trace:
        if frame.function:
            identifiers.setdefault(_JOINT.split(frame.function)[-1].strip("()*"))
    return Clues(
        paths=tuple(place for place in paths if place[1] or place[0] not in with_line)[:KEPT_MAX],
        dotted=tuple(dotted)[:KEPT_MAX],
        identifiers=tuple(name for name in identifiers if name)[:KEPT_MAX],
        quoted=tuple(quoted)[:KEPT_MAX],
        errors=tuple(find_error_lines(rest))[:KEPT_MAX],
        frames=trace,
    )


@lru_cache(maxsize=1 << 16)  # the words of a project come again and again
def is_code_like(name: str) -> bool:
    """Return whether a single name looks like code rather than like a word: `snake_case`, `camelCase`, `E0308`."""
    return 2 < len(name) <= TOKEN_CHARS_MAX and _RARE.search(name) is not None


def find_error_lines(text: str) -> list[str]:
    """Return the lines of `text` that state an error, stripped, in order, each once; `ERROR_CHARS_MAX` at most of each."""
    found: dict[str, None] = {}
    for line in text.split("\n"):
        if len(line) < 4:
            continue
        head = line[: ERROR_CHARS_MAX + 32]
        label = _LABEL.match(head)
        bare = head[label.end() :] if label else head
        if (_ERROR.match(bare) or _COMPILER.match(bare)) and not bare.endswith("Traceback (most recent call last)"):
            found.setdefault(bare[:ERROR_CHARS_MAX].rstrip())
    return list(found)


def _readable(text: str) -> str:
    """The text without template comments and ticked boxes, at most TEXT_CHARS_MAX of it."""
    if len(text) > TEXT_CHARS_MAX:
        text = text[: TEXT_CHARS_MAX // 2] + "\n" + text[-TEXT_CHARS_MAX // 2 :]
    if "<!--" in text:
        pieces: list[str] = []
        at = 0
        while (start := text.find("<!--", at)) >= 0:
            pieces.append(text[at:start])
            end = text.find("-->", start)
            at = len(text) if end < 0 else end + 3
        text = " ".join([*pieces, text[at:]])
    text = text.replace("_No response_", " ")
    if "- [" in text:
        text = "\n".join(line for line in text.split("\n") if not line.lstrip()[:5].lower().startswith("- [x]"))
    return text


def _urls(text: str) -> tuple[list[tuple[str, int]], list[str], str]:
    """Paths of files on code hosts, names that anchors point to, and the text with every URL blanked."""
    if "://" not in text:
        return [], [], text
    paths: list[tuple[str, int]] = []
    names: list[str] = []
    for url in dict.fromkeys(_URL.findall(text)):
        bare = url.partition("://")[2].rstrip(".,;:")
        if hosted := _HOSTED.match(bare):
            if "." in hosted[1].rpartition("/")[2] or hosted[2]:
                paths.append((hosted[1], int(hosted[2] or 0)))
        elif raw := _HOSTED_RAW.match(bare):
            paths.append((raw[1], 0))
        else:
            anchor = bare.partition("#")[2]
            if "." in anchor and _NAME.fullmatch(anchor) and len(anchor) <= TOKEN_CHARS_MAX:
                names.append(anchor)
    return paths, names, _URL.sub(" ", text)


def _paths(text: str) -> dict[tuple[str, int], None]:
    found: dict[tuple[str, int], None] = {}
    for chunk in dict.fromkeys(_CHUNK.findall(text)):
        if len(chunk) <= TOKEN_CHARS_MAX and ("." in chunk or "/" in chunk or "\\" in chunk or chunk in FILE_NAMES):
            path, line = _place(chunk)
            if path and _is_path(path):
                found.setdefault((_clean(path), line))
    if " line" in text or "line " in text:
        for path, line in _LINE_AFTER.findall(text):
            if _is_path(path):
                found.setdefault((_clean(path), int(line)))
        for line, path in _LINE_BEFORE.findall(text):
            if _is_path(path):
                found.setdefault((_clean(path), int(line)))
    return found


def _place(chunk: str) -> tuple[str, int]:
    """Split `src/a.py:12:3`, `a.ts(12,5)`, `a.go#L12`, `tests/a.py::TestB::test_c` into path and line."""
    chunk = chunk.lstrip("(@").rstrip(".,:)")
    if "(" in chunk and not chunk.endswith(")"):
        chunk += ")" if chunk[-1:].isdigit() else ""
    line = 0
    if where := _PLACE.search(chunk):
        line = int(where[1] or where[2] or where[3])
        chunk = chunk[: where.start()]
    chunk = chunk.partition("::")[0]
    return chunk.rstrip(".,:;)"), line


def _is_path(path: str) -> bool:
    if path.lower() in BRANDS or "(" in path or path.endswith("://") or not any(char.isalpha() for char in path):
        return False
    unix = path.replace("\\", "/")
    name = unix.rpartition("/")[2]
    if name in FILE_NAMES or _has_extension(name):
        stem, _, extension = name.rpartition(".")
        # `x.c`, `self.h`: attributes of one letter are no files unless a folder stands before them.
        return len(extension) > 1 or "/" in unix or (len(stem) > 3 and stem not in ("self", "this")) or name in FILE_NAMES
    parts = [part for part in unix.split("/") if part not in ("", ".", "..", "~")]
    if any(":" in part or not (part[0].isalnum() or part[0] in "._@") for part in parts) or "\\" in path:
        return False
    if any(parts[0].endswith(domain) for domain in _DOMAINS) if parts else True:
        return False
    slashes = unix.count("/")
    return (slashes >= 2 and len(parts) >= 2) or (slashes == 1 and len(parts) == 2 and parts[0] in FOLDERS) or unix.startswith("./")


def _is_local(path: str) -> bool:
    """Whether a frame's path is one of files and no address."""
    return "://" not in path and ("/" in path or _has_extension(path))


def _has_extension(name: str) -> bool:
    stem, dot, extension = name.rpartition(".")
    return bool(dot and extension.lower() in EXTENSIONS and (stem or extension == "env") and not stem.endswith("."))


def _clean(path: str) -> str:
    path = strip_install_dir(path)
    while path.startswith("./"):
        path = path[2:]
    if path.startswith(("a/", "b/")) and path.count("/") > 1:  # a diff's two sides
        path = path[2:]
    return path.rstrip("/")


def _quoted(text: str) -> dict[str, None]:
    spans: list[tuple[int, str]] = []
    if "`" in text:
        spans.extend((found.start(), found[2].strip()) for found in _BACKTICKS.finditer(text))
    if '"' in text or "\u201c" in text:
        spans.extend((found.start(), found[1].strip()) for found in _DOUBLE.finditer(text))
    if "'" in text or "\u2018" in text:
        spans.extend((found.start(), (found[1] or found[2]).strip()) for found in _SINGLE.finditer(text))
    spans.sort(key=lambda span: span[0])
    return dict.fromkeys(content for _, content in spans if content and any(char.isalnum() for char in content))


def _names(text: str, quoted: dict[str, None]) -> tuple[dict[str, None], dict[str, None]]:
    """Dotted names and single identifiers, in order of appearance; both without repetition."""
    dotted: dict[str, None] = {}
    single: dict[str, None] = {}
    ticked = {content.removesuffix("()") for content in quoted if content.removesuffix("()").isidentifier()}
    for token in dict.fromkeys(_NAME.findall(text)):
        if len(token) > TOKEN_CHARS_MAX:
            continue
        is_call = token[-1] == "("
        name = token[:-1] if is_call else token
        if "." in name or ":" in name or ">" in name:
            for part in _dotted(name, is_call=is_call, into=dotted):
                single.setdefault(part)
        elif is_code_like(name) or name in ticked or (is_call and len(name) > 2 and name not in COMMON_CALLS):
            single.setdefault(name)
    if "import" in text:
        for module, names in _IMPORT.findall(text):
            for name in names.replace(",", " ").split()[:16]:
                if name != "as" and len(name) > 1:
                    dotted.setdefault(f"{module.strip('.')}.{name}".lstrip("."))
                    single.setdefault(name)
    for code in _CODE.findall(text):
        single.setdefault(code)
    return dotted, single


def _dotted(name: str, *, is_call: bool, into: dict[str, None]) -> Iterator[str]:
    """Enter a name of several parts, and give the parts that are clues by themselves."""
    parts = [part for part in _JOINT.split(name) if part]
    joined = ".".join(parts)
    last = parts[-1]
    if joined.lower() in BRANDS or f".{last}" in _DOMAINS:
        return
    if _has_extension(joined) and not is_call and "::" not in name:
        # A file's name: its stem is a clue, its extension is not.
        if is_code_like(stem := parts[-2]):
            yield stem
        return
    if len(last) > 1 and (
        len(parts) > 2 or not (last[0].isupper() and parts[0][:1].islower() and parts[0].isalpha() and not is_call) or is_code_like(last)
    ):
        into.setdefault(joined)
    for part in parts:
        if is_code_like(part) or (part is last and len(part) > 2 and part not in COMMON_CALLS):
            yield part
