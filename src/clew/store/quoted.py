"""Places: which files, lines and symbols a text quotes, found by comparing it with the paths that exist.

A path is recognised because the repository has it, so brackets, blanks, either slash and whatever stands before it (`a/`,
`file://`, `/usr/src/app/`) need no rule. What stands in a stack trace is ordered from where the error was raised outwards.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from clew.records import MatchKind, MatchReason, Remark, RemarkKind
from clew.store.documents import Documents, Numbers
from clew.store.name_resolution import Names

PLACES_MAX = 8  # guess: of a long trace the frames nearest to the error; what calls those calls everything
PATHS_MAX = 512  # of one text; a longer list is a listing
SHORT_CHARS = 200  # of a question that is about the file that it names; a longer one names files in passing
OUTSIDE_SHOWN = 3  # frames outside the repository that are named; the rest are counted

_WORD = re.compile(r"[^\s/\\\"'`<>|:,;()\[\]{}=!?&*%]+")
_LINE = re.compile(
    r"[\"'`]{0,2}(?:\?[^\s:]{0,80})?(?::line (\d{1,7})|:(\d{1,7})(?:[:.-]\d{1,7})?|#L(\d{1,7})|\((\d{1,7})(?:,\s?\d{1,7})?\)"
    r"|[,:)]{0,2} {1,3}(?:\(?(?:on |at |in )?(?:the )?lines? |L)(\d{1,7}))"
)
_LINE_BEFORE = re.compile(r"\blines? (\d{1,7})(?:-\d{1,7})? (?:of|in) (?:the )?(?:file )?[\"'`(]{0,2}$")
_MEMBER = re.compile(r"[\"'`]?(?:::[\w$]+(?:(?:::|\.)[\w$]+)*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,16}m")
_OWNER = re.compile(r"([\w$.<>/@-]{1,300})\($")
_PREFIX = re.compile(r"[^\s\"'`<>|,;]*$")
_FOREIGN = re.compile(  # where the tools of a language keep what others wrote
    r"(?:site|dist)-packages[/\\]|node_modules[/\\]|[/\\]pkg[/\\]mod[/\\]|[/\\]registry[/\\]src[/\\]|[/\\]gems[/\\]|[/\\]vendor[/\\]bundle[/\\]"
    r"|[/\\]lib[/\\]python\d|[/\\]go[/\\]src[/\\](?=[a-z]+[/\\])|^/?rustc[/\\]|rustlib[/\\]|<frozen |^node:|internal[/\\]modules[/\\]"
)
_MINIFIED = re.compile(r"[.-]min\.(?:js|mjs|css)$|\.(?:bundle|chunk)\.js$")
_LAST_FIRST = re.compile(r"Traceback \(most recent call last\)", re.IGNORECASE)
_RAISED = re.compile(
    r"[ \t|>]{0,12}(?:E {1,8})?(?:[A-Za-z_][\w.]{0,120}(?:Error|Exception|Exit|Interrupt|Warning|Group)\b|[A-Za-z_][\w.]{0,120}: )"
)
_PYTEST = re.compile(r"[\w./\\~+@-]{1,400}\.pyx?:\d{1,7}: (?:in \S{1,200}|[A-Z]\w{0,100})?\s*$")
_CAUSE = re.compile(r"[ \t]{0,20}(?:Caused by:?|\[cause\]:)")
_HANDLED = re.compile(r"During handling of the above exception")


@dataclass(frozen=True, slots=True)
class Place:
    """One quoted place: the documents that it may mean, of which the first is the surest; its line or 0; and why it counts.

    docs  one document where a line or a member is quoted, else those of the whole file, ascending.
    """

    docs: Numbers
    line: int
    reason: MatchReason


@dataclass(frozen=True, slots=True)
class Places:
    """What a text quotes: places in order (of a trace, from where the error was raised outwards), whole files, and what is to be said.

    places   at most PLACES_MAX.
    files    positions in `Documents.paths` of every file that is quoted, with or without a line.
    remarks  frames that lie outside, and files that were minified.
    """

    places: tuple[Place, ...] = ()
    files: tuple[int, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class _Quote:
    """A path in the text that a file has: where it begins, its line or 0, the member behind it, and the files that it may be."""

    at: int
    line: int
    member: str
    codes: tuple[int, ...]


def find_places(documents: Documents, names: Names, text: str, frames: Sequence[tuple[str, int, str]]) -> Places:
    """Return the places that a text quotes.

    frames  (path, line, function) of its stack traces, as `clew.task.frames` reads them: they say which function a line is in, and
            which lines are frames at all.
    Cost    linear in the text, and one look at each file whose name is quoted.
    """
    text = readable(text)
    functions = {(path.rpartition("/")[2], line): function for path, line, function in frames}
    quotes = list(_quotes(documents, names, text, functions))
    found: list[Place] = []
    for quote in _ordered(text, quotes):
        if len(found) >= PLACES_MAX:
            break
        if len(quote.codes) != 1:
            continue
        place = _place(documents, names, quote, functions)
        if place is not None and not any(np.array_equal(place.docs, other.docs) for other in found):
            found.append(place)
    is_short = len(text) <= SHORT_CHARS and "\n" not in text.strip()
    kept = [place for place in found if len(place.docs) == 1 or is_short]
    files = dict.fromkeys(code for quote in quotes for code in quote.codes)
    return Places(tuple(kept), tuple(files), tuple(_outside(documents, quotes, frames)))


def readable(text: str) -> str:
    """Return a text without terminal colours and percent escapes, and with real line ends where a log wrote them as escapes."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if "%5B" in text or "%20" in text or "%28" in text:
        text = unquote(text)
    if "\n" not in text and any(mark in text for mark in ("\\n  File ", "\\n    at ", "\\n\\t")):
        text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t")
    return text


def _quotes(documents: Documents, names: Names, text: str, functions: Mapping[tuple[str, int], str]) -> Iterator[_Quote]:
    """Give the quoted paths in order of their place in the text."""
    known = documents.paths_by_basename
    spans: dict[int, tuple[int, str]] = {}
    for word in _WORD.finditer(text):
        name = word[0].rstrip(".")
        if name not in known:
            name = name.lstrip("@~#$+") if name[:1] in "@~#$+" else ""
        if name in known:
            start = word.start() + word[0].index(name)
            spans[start] = (start + len(name), name)
    for name in documents.odd_basenames:
        at = text.find(name)
        while at >= 0 and len(spans) < PATHS_MAX:
            if not (at and text[at - 1].isalnum()):
                spans[at] = (at + len(name), name)
            at = text.find(name, at + len(name))
    for start, (end, name) in sorted(spans.items())[:PATHS_MAX]:
        begin, codes, is_sure = _candidates(documents, text, start, name)
        if "." not in name[1:] and begin == start:
            continue  # `test`, `Makefile`: a word unless a folder stands before it
        line, member = _behind(text, end)
        if not line and (before := _LINE_BEFORE.search(text[max(0, begin - 40) : begin])):
            line = int(before[1])
        function = functions.get((name, line), "") or member
        if function and (len(codes) > 1 or not is_sure):
            bearing = tuple(code for code in codes if len(_bearing(documents, names, code, function)))
            codes, is_sure = (bearing, True) if len(bearing) == 1 else (codes, is_sure)
        if is_sure and codes:
            yield _Quote(begin, line, member, tuple(codes))


def _behind(text: str, end: int) -> tuple[int, str]:
    """The line number, or the member (`::Class::method`), that stands right behind a path."""
    if found := _LINE.match(text, end):
        return int(next(group for group in found.groups() if group)), ""
    if found := _MEMBER.match(text, end):
        return 0, found[0].lstrip("\"'`:").replace("::", ".")
    return 0, ""


def _candidates(documents: Documents, text: str, start: int, name: str) -> tuple[int, list[int], bool]:
    """Return where a quoted path begins, the files that it fits best, and whether it means one of them and not another's file."""
    best, begin, found = -1, start, list[tuple[str, int]]()
    for path in documents.paths_by_basename[name]:
        folders = path.split("/")[:-1]
        depth, at = _matched(text, start, folders)
        if depth > best:
            best, begin, found = depth, at, []
        if depth == best:
            found.append((path, len(folders)))
    prefix = text[_PREFIX.search(text, max(0, begin - 300), begin).start() : begin] if begin else ""  # pyright: ignore[reportOptionalMemberAccess]
    is_prefixed = (
        bool(prefix.strip("./\\([{@")) and prefix[-1:] in ("/", "\\") and prefix not in ("a/", "b/", "i/", "w/", "file://", "file:///")
    )
    if is_prefixed and (mark := list(_FOREIGN.finditer(prefix))):
        # Others' code, unless the path begins where a package begins.
        rest = prefix[mark[-1].end() :]
        is_sure = "python" not in mark[-1][0] and not rest and best > 0
    elif is_prefixed:
        whole = [row for row in found if row[1] == best]
        found = whole or found
        is_sure = best > 0 or bool(whole)
    else:
        is_sure = True
    if best == 0 and not is_prefixed and (owner := _OWNER.search(text[max(0, start - 301) : start])) and "." in owner[1]:
        found = [row for row in found if _is_package_of(owner[1], row[0])]
    if len(found) > 1:  # the shortest path is the one that was quoted whole
        whole = [row for row in found if row[1] == best]
        found = whole or found
    return begin, [documents.path_numbers[path] for path, _ in found][:5], is_sure and len(found) <= 4


def _matched(text: str, start: int, folders: Sequence[str]) -> tuple[int, int]:
    """How many of the folders above a file stand before its name in the text, and where the first of them begins."""
    at, depth = start, 0
    for folder in reversed(folders):
        end = at
        while end and text[end - 1] in "/\\":
            end -= 1
        begin = end - len(folder)
        if end == at or begin < 0 or not text.startswith(folder, begin):
            break
        if begin and (text[begin - 1].isalnum() or text[begin - 1] in "_-.@+"):
            break
        at, depth = begin, depth + 1
    return depth, at


def _is_package_of(owner: str, path: str) -> bool:
    """Whether a qualified name such as `com.acme.shop.Cart.add` may be of this file: its package's last part is the file's folder."""
    package = [part for part in owner.rpartition("/")[2].split(".")[:-1] if part[:1].islower()]
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return not package or folder == package[-1] or folder in ("", "src", "kotlin", "java", "scala")


def _place(documents: Documents, names: Names, quote: _Quote, functions: Mapping[tuple[str, int], str]) -> Place | None:
    code, line = quote.codes[0], quote.line
    path = documents.paths[code]
    docs = _docs_of(documents, code)
    if not len(docs):
        return None
    function = functions.get((path.rpartition("/")[2], line)) if line else quote.member
    reason = MatchReason(MatchKind.PATH, (path,))
    if line:
        reason = MatchReason(MatchKind.LINE if function is None else MatchKind.FRAME, (line,))
    bearing = _bearing(documents, names, code, function or "")
    if not line:
        return Place(bearing[:1] if len(bearing) else docs, 0, reason)
    first, after = documents.start_line[docs], documents.start_line[docs] + documents.lines[docs]
    at_line = docs[(first <= line) & (line < after) & (documents.parent[docs] >= 0)]
    if len(bearing) and not len(np.intersect1d(bearing, at_line)):  # the file has changed since: the function is the surer half
        away = np.abs(documents.start_line[bearing] - line)
        nearest = bearing[np.argmin(away)]
        return Place(nearest[None], int(documents.start_line[nearest]), reason)
    return Place(at_line[-1:] if len(at_line) else docs[:1], line, reason)


def _docs_of(documents: Documents, code: int) -> Numbers:
    return np.flatnonzero((documents.path_codes == code) & documents.alive & documents.search_scope("file:").mask).astype(np.int32)


def _bearing(documents: Documents, names: Names, code: int, function: str) -> Numbers:
    """The documents of a file that define a function or a member, by the longest ending of its name that any defines."""
    parts = [
        part
        for part in re.split(r"::|[.#/]|->", re.sub(r"\(.*|<[^>]*>|^(?:async|new|block in|rescue in) ", "", function))
        if part.strip("*()&")
    ]
    for start in range(len(parts)):
        docs = names.defining(".".join(part.strip("*()& ") for part in parts[start:]))
        docs = docs[documents.path_codes[docs] == code]
        if len(docs):
            return docs
    return np.empty(0, np.int32)


def _ordered(text: str, quotes: Sequence[_Quote]) -> list[_Quote]:
    """The quotes in the order in which they lead to the error: those with a line first, of a trace the innermost frame first."""
    starts: list[int] = [0]
    groups: list[tuple[int, bool]] = [(0, False)]  # (rank of the group, is the last frame the innermost)
    lowest = highest = 0
    at, is_raised, is_handled, is_pytest = 0, False, False, False
    for line in text.split("\n"):
        if _LAST_FIRST.search(line, 0, 400):
            highest += 1
            if is_handled:
                lowest -= 1
            starts.append(at)
            groups.append((lowest if is_handled else highest, True))
            is_raised = is_handled = is_pytest = False
        elif _CAUSE.match(line):
            lowest -= 1
            starts.append(at)
            groups.append((lowest, False))
        elif _HANDLED.search(line, 0, 400):
            is_handled = True
        elif _PYTEST.match(line):
            if not is_pytest:
                highest += 1
                starts.append(at)
                groups.append((highest, True))
            is_pytest = True
        elif groups[-1][1] and is_raised and line.strip() and not is_pytest:
            highest += 1
            starts.append(at)
            groups.append((highest, False))
            is_raised = False
        if groups[-1][1] and _RAISED.match(line) and not line.lstrip().startswith("File "):
            is_raised = True
        at += len(line) + 1

    def place(quote: _Quote) -> tuple[bool, int, int]:
        rank, is_reversed = groups[bisect_right(starts, quote.at) - 1]
        return not quote.line, rank, -quote.at if is_reversed else quote.at

    return sorted(quotes, key=place)


def _outside(documents: Documents, quotes: Iterable[_Quote], frames: Sequence[tuple[str, int, str]]) -> Iterator[Remark]:
    """Say which frames lie outside the repository, and which lines are of minified files, whose lines say little."""
    inside = {(documents.paths[code].rpartition("/")[2], quote.line) for quote in quotes for code in quote.codes}
    minified = [f"{path}:{line}" for path, line, _ in frames if _MINIFIED.search(path)]
    if minified:
        yield Remark(RemarkKind.MINIFIED_FRAMES, tuple(minified[:OUTSIDE_SHOWN]), len(minified))
    outside = [f"{path}:{line}" for path, line, _ in frames if (path.rpartition("/")[2], line) not in inside and not _MINIFIED.search(path)]
    if outside:
        yield Remark(RemarkKind.FRAMES_OUTSIDE, tuple(outside[:OUTSIDE_SHOWN]), len(outside))
