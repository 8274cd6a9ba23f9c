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
from clew.store.quoted_paths import FILES_MAX, LIKELY_DEPTH_MIN, PathMatch, find_routed, find_routes, match_path

PLACES_MAX = 8  # guess: of a long trace the frames nearest to the error; what calls those calls everything
PATHS_MAX = 512  # of one text; a longer list is a listing
SHORT_CHARS = 200  # of a question that is about the file that it names; a longer one names files in passing
OUTSIDE_SHOWN = 3  # frames outside the repository that are named; the rest are counted

_WORD = re.compile(r"[^\s/\\\"'`<>|:,;()\[\]{}=!?&*%]+")
_LINE = re.compile(
    r"[\"'`]{0,2}(?:\?[^\s:]{0,80})?(?::line (\d{1,7})|:(\d{1,7})(?:[:.-]\d{1,7})?|#L(\d{1,7})|\((\d{1,7})(?:,\s?\d{1,7})?\)"
    r"|:? ?[\[(](\d{1,7}),\s?\d{1,7}[\])]|,line=(\d{1,7})|\|(\d{1,7}) (?:col \d{1,7})?\|?"
    r"|[ \t]*\n[ \t]{1,8}(\d{1,7}):\d{1,7}[ \t]{1,12}(?=error|warning|info|✖|⚠|×)"
    r"|[,:)]{0,2} {1,3}(?:\(?(?:on |at |in )?(?:the )?lines?:? |L)(\d{1,7}))"
)
_LINE_BEFORE = re.compile(r"\blines? (\d{1,7})(?:-\d{1,7})? (?:of|in) (?:the )?(?:file )?[\"'`(]{0,2}$")
_MEMBER = re.compile(r"[\"'`]?(?:::[\w$]+(?:(?:::|\.)[\w$]+)*)")
_IN_MEMBER = re.compile(r"[\"'`)]{0,2} in ([\w.$]{1,200})\(")  # as IPython's older releases write it
_DART = re.compile(r"\bpackage:[\w.]{1,80}/")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,16}m")
_OWNER = re.compile(r"([\w$.<>/@-]{1,300})\($")
_MINIFIED = re.compile(r"[.-]min\.(?:js|mjs|css)$|\.(?:bundle|chunk)\.js$")
_OF_RUNTIME = re.compile(r"[ \t(](node:[\w/.-]{1,200}:\d{1,7}):\d")
_LAST_FIRST = re.compile(r"Traceback \(most recent call last\)", re.IGNORECASE)
_RAISED = re.compile(
    r"[ \t|>]{0,12}(?:E {1,8})?(?:[A-Za-z_][\w.]{0,120}(?:Error|Exception|Exit|Interrupt|Warning|Group)\b|[A-Za-z_][\w.]{0,120}: )"
)
_PYTEST = re.compile(r"[\w./\\~+@-]{1,400}\.pyx?:\d{1,7}: (?:in \S{1,200}|[A-Z]\w{0,100})?\s*$")
_INCLUDED = re.compile(r"(?:In file included|[ ]{12,40})[ ]?from ")  # what stands before the files that lead to an error's file
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
class Quote:
    """A path in the text that a file has: where it begins, its line or 0, the member behind it, and the files that it may be.

    codes     positions in `Documents.paths`.
    is_frame  it stands in a stack trace.
    """

    at: int
    line: int
    member: str
    codes: tuple[int, ...]
    is_frame: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """What a text quotes: places in order (of a trace, from where the error was raised outwards), whole files, and what is to be said.

    places   at most PLACES_MAX.
    quotes   every path in the text that files have, in order of the text.
    remarks  frames that lie outside, and files that were minified.
    """

    places: tuple[Place, ...] = ()
    quotes: tuple[Quote, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def files(self) -> tuple[int, ...]:
        """Return the positions in `Documents.paths` of every file that is quoted, with or without a line."""
        return tuple(dict.fromkeys(code for quote in self.quotes for code in quote.codes))


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
    if is_short and not quotes:
        routed = dict.fromkeys(path for route in find_routes(text) for path in find_routed(documents.file_names.list_paths(), route))
        rows = ((path, documents.docs_of_file(documents.path_numbers[path])) for path in routed)
        found += [Place(docs, 0, MatchReason(MatchKind.PATH, (path,))) for path, docs in rows if len(docs)][:PLACES_MAX]
    kept = [place for place in found if len(place.docs) == 1 or is_short]
    return Places(tuple(kept), tuple(quotes), tuple(_outside(documents, quotes, frames, text)))


def readable(text: str) -> str:
    """Return a text without terminal colours and percent escapes, and with real line ends where a log wrote them as escapes."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if "package:" in text:  # Dart's name for what is below a package's `lib`
        text = _DART.sub("lib/", text)
    if "%5B" in text or "%20" in text or "%28" in text:
        text = unquote(text)
    if "\n" not in text and any(mark in text for mark in ("\\n  File ", "\\n    at ", "\\n\\t")):
        text = text.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t")
    return text


def _quotes(documents: Documents, names: Names, text: str, functions: Mapping[tuple[str, int], str]) -> Iterator[Quote]:
    """Give the quoted paths in order of their place in the text."""
    known = documents.paths_by_basename
    lines = {(name, function): line for (name, line), function in functions.items() if function}
    spans: dict[int, tuple[int, str]] = {}
    for word in _WORD.finditer(text):
        name = word[0].rstrip(".")
        if name not in known:
            name = (name.lstrip("@~#$+") if name[:1] in "@~#$+" else name).partition("#L")[0]
        if name in known:
            start = word.start() + word[0].index(name)
            spans[start] = (start + len(name), name)
    for name in documents.file_names.odd:
        at = text.find(name)
        while at >= 0 and len(spans) < PATHS_MAX:
            if not (at and text[at - 1].isalnum()):
                spans[at] = (at + len(name), name)
            at = text.find(name, at + len(name))
    for start, (end, name) in sorted(spans.items())[:PATHS_MAX]:
        match = match_path(known, text, start, name)
        line, member = _behind(text, end)
        line = line or lines.get((name, member), 0)
        if not line and (before := _LINE_BEFORE.search(text[max(0, match.begin - 40) : match.begin])):
            line = int(before[1])
        if "." not in name[1:] and match.begin == start and not line:
            continue  # `test`, `Makefile`: a word unless a folder stands before it, or a line behind
        files = match.files
        if not match.depth and match.is_sure and (owner := _OWNER.search(text[max(0, start - 301) : start])) and "." in owner[1]:
            files = tuple(path for path in files if _is_package_of(owner[1], path))
        codes = tuple(documents.path_numbers[path] for path in files)
        function = functions.get((name, line), "") or member
        if _is_meant(documents, names, match, codes, line, function):
            if function and len(codes) > 1:
                bearing = tuple(code for code in codes if len(_bearing(documents, names, code, function)))
                codes = bearing if len(bearing) == 1 else codes
            if 0 < len(codes) <= FILES_MAX:
                yield Quote(match.begin, line, member, codes, is_frame=(name, line) in functions)


def _is_meant(documents: Documents, names: Names, match: PathMatch, codes: Sequence[int], line: int, function: str) -> bool:
    """Whether a written path means one of these files, and not one of another place that is called the same."""
    if not match.is_sure and not match.is_likely:
        return False
    if function and any(len(_bearing(documents, names, code, function)) for code in codes):
        return True
    is_long_enough = any(line <= _last_line(documents, code) for code in codes)
    if match.is_sure:
        return is_long_enough or not function
    return match.depth >= LIKELY_DEPTH_MIN or (line > 0 and is_long_enough and not function)


def _last_line(documents: Documents, code: int) -> int:
    docs = documents.docs_of_file(code)
    return int((documents.start_line[docs] + documents.lines[docs]).max(initial=1)) - 1


def _behind(text: str, end: int) -> tuple[int, str]:
    """The line number, or the member (`::Class::method`, ` in method(`), that stands right behind a path."""
    if found := _LINE.match(text, end):
        return int(next(group for group in found.groups() if group)), ""
    if found := _MEMBER.match(text, end):
        return 0, found[0].lstrip("\"'`:").replace("::", ".")
    if found := _IN_MEMBER.match(text, end):
        return 0, found[1]
    return 0, ""


def _is_package_of(owner: str, path: str) -> bool:
    """Whether a qualified name such as `com.acme.shop.Cart.add` may be of this file: its package's last part is the file's folder."""
    package = [part for part in owner.rpartition("/")[2].split(".")[:-1] if part[:1].islower()]
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return not package or folder == package[-1] or folder in ("", "src", "kotlin", "java", "scala")


def _place(documents: Documents, names: Names, quote: Quote, functions: Mapping[tuple[str, int], str]) -> Place | None:
    code, line = quote.codes[0], quote.line
    path = documents.paths[code]
    docs = documents.docs_of_file(code)
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


def _ordered(text: str, quotes: Sequence[Quote]) -> list[Quote]:
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

    def place(quote: Quote) -> tuple[bool, bool, int, int]:
        rank, is_reversed = groups[bisect_right(starts, quote.at) - 1]
        is_included = _INCLUDED.fullmatch(text, text.rfind("\n", 0, quote.at) + 1, quote.at) is not None
        return not quote.line, is_included, rank, -quote.at if is_reversed else quote.at

    return sorted(quotes, key=place)


def _outside(documents: Documents, quotes: Iterable[Quote], frames: Sequence[tuple[str, int, str]], text: str) -> Iterator[Remark]:
    """Say which frames lie outside the repository, and which lines are of minified files, whose lines say little."""
    inside = {(documents.paths[code].rpartition("/")[2], quote.line) for quote in quotes for code in quote.codes}
    minified = [f"{path}:{line}" for path, line, _ in frames if _MINIFIED.search(path)]
    if minified:
        yield Remark(RemarkKind.MINIFIED_FRAMES, tuple(minified[:OUTSIDE_SHOWN]), len(minified))
    outside = [f"{path}:{line}" for path, line, _ in frames if (path.rpartition("/")[2], line) not in inside and not _MINIFIED.search(path)]
    outside += dict.fromkeys(_OF_RUNTIME.findall(text) if "node:" in text else ())
    if outside:
        yield Remark(RemarkKind.FRAMES_OUTSIDE, tuple(outside[:OUTSIDE_SHOWN]), len(outside))
