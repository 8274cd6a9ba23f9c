"""Split documents and configuration files, which no grammar parses, into titled sections.

Documents are split at their headings, configuration at its tables and keys, and whatever is left at
blank lines, in blocks that a person would still read at one go. A key on a single line gets no
section of its own: it stays in the text of what holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from clew.codebase.facts import SymbolKind
from clew.codebase.languages.description import Definition
from clew.codebase.languages.formats import TEXT_FORMATS, TextFormat

BLOCK_LINES_MAX = 60  # lines of one block of plain text: one screen; guess
BLOCK_LINES_MIN = 30  # lines after which a blank line ends a block; guess
TITLE_CHARS_MAX = 80  # of a section's name
INDENT_LEVELS_MAX = 3  # levels of nested keys that become sections: the steps of a workflow's job
SUMMARY_BYTES_MAX = 4_000  # of a section's first paragraph; a longer one is no summary

Heading = tuple[int, int, int, str]
"""A heading in a document: (start, end of its line, level with 1 the highest, title); with title "" it only ends the section before it."""


def find_sections(language: str, data: bytes) -> list[Definition]:
    """Return the sections of a document or configuration file, in order, each reaching to the next heading of its level or higher.

    language  a name that `detect_language` returns; a format without headings gives no sections.
    """
    known = TEXT_FORMATS.get(language, TextFormat())
    if known.keyed:
        return list(_keyed(data, re.compile(known.keyed.encode())))
    cuts = _markdown(data) if language == "markdown" else _rst(data) if language == "rst" else _headings(known.heading_pattern, data)
    return _spans("config" if known.config else "type" if known.code else "section", list(cuts), data)


def count_code_words(text: str) -> Counter[str]:
    """Count the words of prose that look like identifiers: {name: occurrences}.

    A word counts if it has an underscore or a capital inside, is followed by "(", or is a part of a dotted path.
    """
    found: Counter[str] = Counter()
    for match in _MENTION.finditer(text):
        path, called = match.groups()
        if called or "." in path or "_" in path or _HUMP.search(path):
            found.update(part for part in path.split(".") if len(part) > 2)
    return found


_MENTION = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)(\(?)")
_HUMP = re.compile(r"[a-z0-9][A-Z]")


def split_into_blocks(data: bytes, start: int, end: int) -> list[Definition]:
    """Return blocks of at most BLOCK_LINES_MAX lines that cover every line of bytes [start, end) that is not blank.

    A block ends at the last blank line between BLOCK_LINES_MIN and the maximum, else at the maximum.
    """
    lines = [found.span() for found in _LINE.finditer(data, start, end)]
    is_blank = [not data[first:last].strip() for first, last in lines]
    drafts: list[Definition] = []
    index, count = 0, len(lines)
    while index < count:
        if is_blank[index]:
            index += 1
            continue
        stop = min(index + BLOCK_LINES_MAX, count)
        if stop < count:
            stop = next((at for at in range(stop, index + BLOCK_LINES_MIN, -1) if is_blank[at]), stop)
        last = stop
        while is_blank[last - 1]:
            last -= 1
        block_start, block_end = lines[index][0], lines[last - 1][1]
        heading_end = lines[index][1]
        drafts.append(Definition("text", _first_words(data, lines[index:last]), block_start, block_end, block_start, heading_end))
        index = stop
    return drafts


_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def _first_words(data: bytes, lines: list[tuple[int, int]]) -> str:
    """Return the first line that says something as a block's name: not a brace, not a rule."""
    telling = (data[start:end] for start, end in lines if _WORD.search(data, start, end))
    return _title(next(telling, data[lines[0][0] : lines[0][1]]))


_WORD = re.compile(rb"[\w\x80-\xff]{3}")


def _title(raw: bytes) -> str:
    """Return a line as a name: one line, no marks around it, not too long."""
    return " ".join(raw[: 4 * TITLE_CHARS_MAX].decode("utf-8", "replace").split())[:TITLE_CHARS_MAX].strip() or "…"


def _spans(kind: SymbolKind, cuts: list[Heading], data: bytes) -> list[Definition]:
    """Turn headings into spans: each ends where the next heading of its level or higher starts."""
    ends = [len(data)] * len(cuts)
    above: list[int] = []
    for index, (start, _, level, _) in enumerate(cuts):
        while above and cuts[above[-1]][2] >= level:
            ends[above.pop()] = start
        above.append(index)
    starts = [*(cut[0] for cut in cuts[1:]), len(data)]

    drafts: list[Definition] = []
    for (start, heading_end, _, title), end, next_start in zip(cuts, ends, starts, strict=False):
        if not title:
            continue
        draft = Definition(kind, title, start, end, start, min(heading_end, end))
        if kind == "section":
            _summarise(draft, data, min(next_start, end))
        drafts.append(draft)
    return drafts


_PARAGRAPH = re.compile(rb"\s*(\S.*?)(?=\n[ \t\r]*\n|\Z)", re.DOTALL)


def _summarise(draft: Definition, data: bytes, stop: int) -> None:
    """Take a section's first paragraph as its docstring."""
    found = _PARAGRAPH.match(data[draft.signature_end : min(stop, draft.signature_end + SUMMARY_BYTES_MAX)])
    if found is not None:
        draft.docstring = " ".join(found.group(1).decode("utf-8", "replace").split())
        draft.doc_end = draft.signature_end + found.end()


_FENCE = re.compile(rb"[ ]{0,3}(```+|~~~+)")
_ATX = re.compile(rb"[ ]{0,3}(#{1,6})(?:[ \t](.*))?$")
_SETEXT = re.compile(rb"[ ]{0,3}(=+|-{2,})[ \t\r]*$")
_NOT_PROSE = re.compile(rb"[ ]{0,3}(?:[-*+>|#<]|\d+[.)])[ \t|]|[ ]{4}|\t")


def _markdown(data: bytes) -> Iterator[Heading]:
    """Cut at `# …` and at underlined headings, not inside fences or front matter."""
    fence = b""
    before: tuple[int, bytes] | None = None
    is_front = data.startswith((b"---\n", b"---\r\n"))
    for found in _LINE.finditer(data):
        line, start = found.group().rstrip(b"\r\n"), found.start()
        if is_front:
            is_front = start == 0 or line not in (b"---", b"...")
            continue
        marks = _FENCE.match(line)
        if fence:
            if marks and marks.group(1).startswith(fence) and not line[marks.end() :].strip():
                fence = b""
            continue
        if marks:
            fence, before = marks.group(1), None
            continue
        heading = _ATX.match(line.rstrip(b" \t\r"))
        if heading:
            yield start, found.end(), len(heading.group(1)), _title(_without_closing(heading.group(2) or b""))
            before = None
            continue
        under = _SETEXT.match(line)
        if under and before is not None:
            yield before[0], found.end(), 1 if under.group(1).startswith(b"=") else 2, _title(before[1])
            before = None
            continue
        before = (start, line) if line.strip() and not _NOT_PROSE.match(line) else None


def _without_closing(title: bytes) -> bytes:
    """Return a heading's words without the marks that may close it: `# words ##`."""
    words = title.rstrip(b"#")
    return words if words[-1:] in (b"", b" ", b"\t") else title


_ADORNMENT = re.compile(rb"([=\-`:.'\"~^_*+#<>!$%&(),/;?@\[\\\]{|}])\1{2,}[ \t\r]*$")


def _rst(data: bytes) -> Iterator[Heading]:
    """Cut at lines that are underlined, or framed, with one repeated mark; levels by order of appearance."""
    levels: dict[tuple[bytes, bool], int] = {}
    rows = [(found.start(), found.end(), found.group().rstrip()) for found in _LINE.finditer(data)]
    for index in range(len(rows) - 1):
        title = rows[index][2]
        under = _ADORNMENT.match(rows[index + 1][2])
        if not under or not title or _ADORNMENT.match(title) or len(rows[index + 1][2]) < len(title.strip()):
            continue
        over = _ADORNMENT.match(rows[index - 1][2]) if index else None
        is_framed = over is not None and over.group(1) == under.group(1)
        if not is_framed and (title[:1].isspace() or (index and rows[index - 1][2])):
            continue  # a table, or a transition below a paragraph
        level = levels.setdefault((under.group(1), is_framed), len(levels) + 1)
        yield rows[index - 1 if is_framed else index][0], rows[index + 1][1], level, _title(title)


def _headings(pattern: re.Pattern[bytes], data: bytes) -> Iterator[Heading]:
    """Cut at every match; the first group that matched is the title, none only ends a section; what is indented lies within."""
    for found in pattern.finditer(data):
        end = data.find(b"\n", found.end())
        title = next((group for group in found.groups() if group), b"")
        indent = len(found[0]) - len(found[0].lstrip(b" \t"))
        yield found.start(), len(data) if end < 0 else end + 1, 1 + indent, _title(title) if title else ""


def _keyed(data: bytes, key: re.Pattern[bytes]) -> Iterator[Definition]:
    """Give the sections of a file whose nesting is written as indentation.

    A key whose value fills further lines is a section; the keys within it are too, where it has more
    than `BLOCK_LINES_MAX` lines, down to `INDENT_LEVELS_MAX` levels. Keys of one file's lists stay text.
    """
    rows = [(found.start(), found.end(), found.group()) for found in _LINE.finditer(data)]
    indents = [_indent(line) for _, _, line in rows]
    todo = [(0, len(rows), 1)]
    while todo:
        first, stop, level = todo.pop()
        found = [(at, match) for at in range(first, stop) if (match := key.match(rows[at][2])) and indents[at] == len(match.group(1))]
        if not found:
            continue
        indent = min(indents[at] for at, _ in found)
        heads = [(at, match) for at, match in found if indents[at] == indent]
        for number, (at, match) in enumerate(heads):
            limit = heads[number + 1][0] if number + 1 < len(heads) else stop
            last = next((row for row in range(at + 1, limit) if indents[row] < indent and indents[row] != _BLANK), limit) - 1
            while last > at and (indents[last] == _BLANK or _is_remark(rows[last][2], indents[last], indent)):
                last -= 1
            if last == at:
                continue
            start, end = rows[at][0], rows[last][1]
            yield Definition("config", _title(match[match.lastindex or 0].rstrip(b" \t\"'")), start, end, start, rows[at][1])
            if last - at >= BLOCK_LINES_MAX and level < INDENT_LEVELS_MAX:
                todo.append((at + 1, last + 1, level + 1))


_BLANK = -1
_BREAK = -2  # `---` between two documents of one file ends every key


def _indent(line: bytes) -> int:
    if line.startswith(b"---"):
        return _BREAK
    stripped = line.lstrip(b" \t\r\n")
    return len(line) - len(stripped) if stripped else _BLANK


def _is_remark(line: bytes, indent: int, key_indent: int) -> bool:
    """Say whether a line is a comment that belongs to the key below it."""
    return indent <= key_indent and line.lstrip().startswith((b"#", b"//"))
