"""Map: the repository within a budget, when no question is asked.

The files that matter most, each with its opening words and the signatures of its most used symbols; the first words of
the README; and in front how many files and lines each folder has. The same options and the same knapsack as for a
question, so a map is a packet like any other: with handles, within its budget. Pure over a snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np

from clew.packet.assemble import Candidate, Option, discount_by_group
from clew.packet.options import DisplayLimit, OriginalCache, build_options, group_name
from clew.packet.retrieve import count_tokens, fill_budget, make_entry, render
from clew.ranking.centrality import CODE, TEST_SHARE, TYPES, Centrality, compute_centrality
from clew.records import FIRST_FENCE, MatchKind, MatchReason, Packet, Record, Resolution, make_handle, merge_spans, outside_span
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.text.tokens import TokenCounter

TOKENS_PER_FILE = 40  # a file is a candidate for so many tokens of budget: about a heading and two signatures
FILES_MIN, FILES_MAX = 24, 400
SYMBOLS_PER_FILE = 24  # more of one file are its own page, not the repository's
TOKENS_PER_CANDIDATE = 6
CANDIDATES_MIN, CANDIDATES_MAX = 160, 3000
FOLDERS_SHARE = 0.12  # of the budget, for the folders in front; guess
README_SHARE = 0.1  # of the budget, for the README's first words
README_WEIGHT = 4.0  # against the best file's 1: nothing says in fewer words what a repository is
README = re.compile(r"readme(\.\w+)?", re.IGNORECASE)
UTILITY = {Resolution.NAME: 0.35, Resolution.SIGNATURE: 1.0, Resolution.FOLDED: 1.0, Resolution.FULL: 1.0}
SHARPNESS = 2.0  # as for a question: the tenth file is worth much less than the first
OWN_SHARE = 0.15  # what a symbol that no other file uses has of its file's centrality; guess
PRIVATE_SHARE = 0.2  # what a name has of it that its language or its author calls private; guess
GENERATED_SHARE = 0.05  # what a program wrote comes last
GENERATED_BYTES = 1200  # of a file in which it says so; guess
LINE_CHARS_MAX = 200  # of a definition of one line that is shown whole
MEMBER_SHARE = 0.5  # what a type's member has of the type's utility; guess
REPEATED_SHARE = 0.4  # what a block of members or a constructor has, which stands beside its type
TESTS = frozenset(("test", "tests"))  # modules inside a file
TYPE_FILES = (".java", ".kt", ".cs", ".php", ".swift")  # of languages in which a file mostly holds one type
OPENING_SHARE = 0.9  # what the words have with which a file opens
OPENING_LINES_MAX = 3  # of a file's opening words
OPENING_WORDS_MIN = 3  # fewer are a title
OPENING_BYTES = 6000  # looked at
SHOWN_KINDS = TYPES | {"function", "method", "constant", "variable", "type", "macro"}


@dataclass(slots=True)
class _Folder:
    files: int = 0
    lines: int = 0
    below: dict[str, _Folder] = field(default_factory=dict[str, "_Folder"])


@dataclass(frozen=True, slots=True)
class _Draft:
    """A record that may be shown: its utility relative to the best file's, and why."""

    doc: int
    weight: float
    why: tuple[MatchReason, ...]


def build_map(snapshot: Snapshot, *, folder: str, budget_tokens: int, counter: TokenCounter) -> Packet:
    """Return the map of a workspace, or of one folder or file of it, within `budget_tokens`.

    folder   relative to the root, "" for all; centrality is that within the whole workspace.
    counter  counts tokens for the model that will read it.
    Returns  an empty packet where nothing is indexed.
    """
    documents = snapshot.documents
    known = compute_centrality(snapshot)
    own = _files(documents, known, folder)
    originals = OriginalCache(snapshot)
    front = _front(documents, own, folder, int(budget_tokens * FOLDERS_SHARE), counter)
    files_max = min(max(budget_tokens // TOKENS_PER_FILE, FILES_MIN), FILES_MAX)
    readme = _readme(documents, own)
    top = [doc for doc in own[:files_max] if doc != readme]
    drafts = [_Draft(readme, README_WEIGHT, (MatchReason(MatchKind.README),))] if readme is not None else []
    candidates_max = min(max(budget_tokens // TOKENS_PER_CANDIDATE, CANDIDATES_MIN), CANDIDATES_MAX)
    drafts += sorted(_drafts(documents, known, top), key=lambda draft: (-draft.weight, documents.id_of(draft.doc)))[:candidates_max]
    records = {record.id: record for record in snapshot.records([documents.id_of(draft.doc) for draft in drafts])}
    named = [(draft, records[documents.id_of(draft.doc)]) for draft in drafts if documents.id_of(draft.doc) in records]
    made = {row.path for draft, row in named if documents.parent[draft.doc] < 0 and _is_generated(originals.bytes_of(row.full_text))}
    named = [(replace(draft, weight=draft.weight * _share(row, made)), row) for draft, row in named]
    named.sort(key=lambda pair: (-pair[0].weight, -pair[1].full_text.chars, pair[1].id))
    named = list({(row.path, row.name): (draft, row) for draft, row in reversed(named)}.values())[::-1]  # of overloads the weightiest
    drafts, rows = [draft for draft, _ in named], [row for _, row in named]
    found = build_options([DisplayLimit(row, Resolution.SIGNATURE) for row in rows], originals, counter.count_unrounded_many)
    readme_max = budget_tokens * README_SHARE
    told = {row.path for draft, row in named if documents.parent[draft.doc] >= 0}
    options = [
        _opening(row, each, originals, counter, readme_max if draft.doc == readme else 0.0, has_symbols=row.path in told)
        if documents.parent[draft.doc] < 0
        else _telling(row, each, originals, counter)
        for draft, row, each in zip(drafts, rows, found, strict=True)
    ]
    utility = discount_by_group([draft.weight for draft in drafts], [group_name(row) for row in rows])
    candidates = [
        Candidate(row.id, utility[at], group_name(row), each, UTILITY)
        for at, (row, each) in enumerate(zip(rows, options, strict=True))
        if each
    ]
    numbers = [at for at, each in enumerate(options) if each]
    chosen, selection = fill_budget(
        candidates, budget_tokens=budget_tokens, counter=counter, spent=counter.count_unrounded(front + FIRST_FENCE)
    )
    shown = [(numbers[number], option) for number, option in sorted(chosen.items())]
    entries = tuple(make_entry(rows[at], option, drafts[at].weight, drafts[at].why) for at, option in shown)
    spans = merge_spans((outside_span(front), *render([(rows[at], option) for at, option in shown])))
    tokens, fence_tokens = count_tokens(spans, counter)
    if tokens + fence_tokens > budget_tokens:  # there is room for neither the folders nor what says that they are data
        return Packet("", (), (), 0, budget_tokens, counter.name, 0.0, 0.0)
    return Packet("", entries, spans, tokens, budget_tokens, counter.name, selection.shadow_price, selection.gap, fence_tokens=fence_tokens)


# -- which files and symbols ------------------------------------------------------------------------


def _files(documents: Documents, known: Centrality, folder: str) -> list[int]:
    """File documents at or below a folder, the most important first; ties by path."""
    docs = np.flatnonzero(documents.search_scope(CODE).mask & (documents.parent.whole < 0)).tolist()
    below = [doc for doc in docs if not folder or documents.path_of(doc) == folder or documents.path_of(doc).startswith(f"{folder}/")]
    below = [doc for doc in below if documents.kind_of(doc) != "file"]  # only named: binary, generated, minified
    return sorted(below, key=lambda doc: (-float(known.files[documents.path_codes[doc]]), documents.path_of(doc), documents.id_of(doc)))


def _readme(documents: Documents, docs: Sequence[int]) -> int | None:
    """The README that stands highest."""
    found = [doc for doc in docs if README.fullmatch(PurePosixPath(documents.path_of(doc)).name)]
    return min(found, key=lambda doc: (documents.path_of(doc).count("/"), documents.path_of(doc)), default=None)


def _drafts(documents: Documents, known: Centrality, top: Sequence[int]) -> Iterable[_Draft]:
    """The files and their most used symbols."""
    place = {int(documents.path_codes[doc]): doc for doc in top}
    wanted = np.zeros(len(documents.paths), np.bool_)
    wanted[list(place)] = True
    held: dict[int, list[tuple[float, int]]] = {}
    inside = np.flatnonzero(documents.search_scope(CODE).mask & wanted[documents.path_codes.whole] & (documents.parent.whole >= 0))
    for doc in inside.tolist():
        if documents.kind_of(doc) in SHOWN_KINDS:
            held.setdefault(int(documents.path_codes[doc]), []).append((float(known.symbols[doc]), doc))
    for code, doc in place.items():
        score = float(known.files[code]) ** SHARPNESS
        if score <= 0:
            continue
        yield _Draft(doc, score * OPENING_SHARE, _why_file(known, code))
        symbols = held.get(code, [])
        most = max((used for used, _ in symbols), default=0.0)
        for used, symbol in sorted(symbols, key=lambda pair: (-pair[0], -int(documents.lines[pair[1]]), documents.id_of(pair[1])))[
            :SYMBOLS_PER_FILE
        ]:
            share = OWN_SHARE + (1.0 - OWN_SHARE) * (used / most) ** 0.5 if most else OWN_SHARE
            if documents.parent[symbol] != doc:  # a member of a type that many use is used, though nobody can say by how many
                share = MEMBER_SHARE * max(share, (float(known.symbols[documents.parent[symbol]]) / most) ** 0.5 if most else 0.0)
            yield _Draft(symbol, score * share, _why_symbol(known, symbol))


def _why_file(known: Centrality, code: int) -> tuple[MatchReason, ...]:
    users, uses = int(known.users[code]), int(known.uses[code])
    return tuple(
        reason
        for holds, reason in (
            (known.is_entry[code], MatchReason(MatchKind.ENTRY_POINT)),
            (users, MatchReason(MatchKind.USERS, (users,))),
            (uses, MatchReason(MatchKind.USES_MANY, (uses,))),
        )
        if holds
    ) or (MatchReason(MatchKind.ALONE),)


def _why_symbol(known: Centrality, doc: int) -> tuple[MatchReason, ...]:
    users = int(known.used_by[doc])
    return (MatchReason(MatchKind.USERS, (users,)) if users else MatchReason(MatchKind.INTERNAL),)


# -- how they are shown -----------------------------------------------------------------------------


def _share(record: Record, made: Collection[str]) -> float:
    """What a record keeps of its utility, by its name and by who wrote its file; a program's `main` gains what it lacks in users."""
    share = GENERATED_SHARE if record.path in made else 1.0
    if record.name == record.path:
        return share
    parts = record.name.split(".")
    if parts[-1].startswith(("_", "#")):
        share *= PRIVATE_SHARE
    if TESTS & set(parts):
        share *= TEST_SHARE
    if record.kind == "extension" or parts[-1:] == parts[-2:-1]:  # a constructor has its type's name
        share *= REPEATED_SHARE
    return share / OWN_SHARE if record.name == "main" else share


def _telling(record: Record, options: tuple[Option, ...], originals: OriginalCache, counter: TokenCounter) -> tuple[Option, ...]:
    """A symbol's options: a header that lacks its name says nothing, and what is one line long is shown whole."""
    whole = record.full_text
    if whole.start_line == whole.end_line:
        text = f"[{make_handle(record.id)}:{whole.start_line}] {originals.text_of(whole).strip()}\n"
        if len(text) <= LINE_CHARS_MAX:
            return (
                *options[:1],
                Option(Resolution.FULL, text, counter.count_unrounded(text), whole.start_line, whole.end_line, is_whole=True),
            )
    name = re.split(r"\W+", record.name)[-1]
    return tuple(option for option in options if option.resolution == Resolution.NAME or name in option.text)


def _is_generated(data: bytes) -> bool:
    return _GENERATED.search(data[:GENERATED_BYTES]) is not None


def _opening(
    record: Record, options: tuple[Option, ...], originals: OriginalCache, counter: TokenCounter, tokens_max: float, *, has_symbols: bool
) -> tuple[Option, ...]:
    """A file's options: the words in which it says what it is, in whole lines, and its name where nothing else of it could be shown.

    tokens_max  for a document, 0 for code, of which the first paragraph is shown.
    """
    plain = () if has_symbols else options[:1]
    data = originals.bytes_of(record.full_text)
    lines = data[:OPENING_BYTES].decode("utf-8", "replace").split("\n")
    if len(data) > OPENING_BYTES:
        lines = lines[:-1]  # it may be cut
    span = find_file_description(lines, is_document=tokens_max > 0, is_type=record.path.endswith(TYPE_FILES))
    if span is None:
        return plain
    start, end = span
    while True:
        shown, handle = "\n".join(lines[start - 1 : end]), make_handle(record.id)
        head = f"--- {start}-{end} of {record.full_text.start_line}-{record.full_text.end_line} {record.name} [{handle}]\n"
        text = f"{head}{shown}\n" if tokens_max else f"[{handle}:{start}] {shown.strip()}\n"
        tokens = counter.count_unrounded(text)
        if not tokens_max or tokens <= tokens_max or end == start:
            break
        end = _last_full(lines, start, end - 1)
    return (*plain, Option(Resolution.FOLDED if tokens_max else Resolution.SIGNATURE, text, tokens, start, end))


_GENERATED = re.compile(rb"(?i)generated (by|from)|do not edit|made by gnu bison|@generated|interface for yacc")
_LICENCE = re.compile(r"copyright|licen[sc]e|spdx-|all rights reserved|permission is hereby", re.IGNORECASE)
_SETTING = re.compile(r"coding[:=]|^vim:|eslint|pylint|noqa|type: ignore|clang-format|^@\w+|^:\w+:|^<", re.IGNORECASE)
_QUOTES = re.compile(r"""[rRuU]?(\"{3}|\'{3})""")
_WORD = re.compile(r"[^\W\d_]{2,}")
_UNDERLINE = re.compile(r"([=~^*+#-])\1{2,}")
_DIRECTIVE = re.compile(r"#\s*(include|define|if|ifdef|ifndef|endif|pragma|undef|import|error)\b|#!|#\[")
_FORE = re.compile(
    r"<\?php|package\s|['\"]use strict['\"]|#\s*(ifndef|define|pragma)\b|#!"
)  # lines that may stand before a file's opening comment
_IMPORT = re.compile(r"(import|using|use|namespace|declare)\b")
_MARKUP = re.compile(r"<|!\[|\[!|\[.*\]:|\.\. |\||:\w+:|---|```")


def find_file_description(lines: Sequence[str], *, is_document: bool = False, is_type: bool = False) -> tuple[int, int] | None:
    """Return the first and last line (1-based) in which a file describes itself; None where it has no such lines.

    In code the first paragraph of its leading comment, past licences, titles and settings; in a document
    its first paragraph of prose and what follows under the same heading.
    is_type  the file holds one type: the comment above the type, past the imports, describes the file.
    """
    if is_document:
        return _opening_of_document(lines)
    for paragraph in _paragraphs(lines, is_type=is_type):
        body = [text for _, text in paragraph]
        words = sum(len(_WORD.findall(text)) for text in body)
        is_title = any(_UNDERLINE.fullmatch(text) for text in body)
        if words >= OPENING_WORDS_MIN and not is_title and not any(_SETTING.search(text) or _LICENCE.search(text) for text in body):
            first = paragraph[0][0]
            return first, min(paragraph[-1][0], first + OPENING_LINES_MAX - 1)
    return None


def _paragraphs(lines: Sequence[str], *, is_type: bool) -> Iterable[list[tuple[int, str]]]:
    """(line, text) of each paragraph of the comments before a file's first code; a block that is a licence is left out."""
    block: list[list[tuple[int, str]]] = [[]]
    closing, is_quoted = "", False

    def ended() -> Iterable[list[tuple[int, str]]]:
        found = [paragraph for paragraph in block if paragraph]
        is_licence = not is_quoted and any(_LICENCE.search(text) for paragraph in found for _, text in paragraph)
        block[:] = [[]]
        return [] if is_licence else found

    for number, line in enumerate(lines, 1):
        text, was_open = line.strip(), bool(closing)
        if closing:
            text, _, rest = text.partition(closing)
            closing = "" if rest or line.strip().endswith(closing) else closing
            text = text.lstrip("* ") if not is_quoted else text.strip()
        elif quotes := _QUOTES.match(text):
            yield from ended()
            is_quoted = True
            text, _, rest = text[quotes.end() :].partition(quotes[1])
            closing = "" if rest or (line.strip().endswith(quotes[1]) and len(line.strip()) > quotes.end()) else quotes[1]
        elif text.startswith("/*"):
            yield from ended()
            is_quoted = False
            text, _, _ = text[2:].lstrip("*!").partition("*/")
            closing = "" if "*/" in line else "*/"
        elif text.startswith(("//", "#", "--", ";")) and not _DIRECTIVE.match(text):
            is_quoted = False
            text = text.lstrip("/#-;! ")
        elif not text or _FORE.match(text) or (is_type and _IMPORT.match(text)):
            yield from ended()
            continue
        else:
            break
        if text:
            block[-1].append((number, text))
        else:
            block.append([])
        if was_open and not closing:
            yield from ended()
    yield from ended()


def _opening_of_document(lines: Sequence[str]) -> tuple[int, int] | None:
    first = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if first:
            after = lines[number].strip() if number < len(lines) else ""
            if text.startswith(("#", "<")) or _UNDERLINE.fullmatch(after):
                return first, _last_full(lines, first, number - 1)
        elif len(_WORD.findall(text)) >= OPENING_WORDS_MIN + 2 and not _MARKUP.match(text) and not text.startswith("#"):
            first = number
    return (first, _last_full(lines, first, len(lines))) if first else None


def _last_full(lines: Sequence[str], first: int, last: int) -> int:
    while last > first and not lines[last - 1].strip():
        last -= 1
    return last


# -- the folders in front ---------------------------------------------------------------------------


def _front(documents: Documents, own: Sequence[int], folder: str, tokens_max: int, counter: TokenCounter) -> str:
    """How many files and lines each folder holds: the largest are opened first, as far as there is room."""
    root = _Folder()
    for doc in own:
        path = documents.path_of(doc)
        parts = path.removeprefix(f"{folder}/" if folder else "").split("/")[:-1] if path != folder else []
        at = root
        for part in (*parts, ""):
            at.files += 1
            at.lines += int(documents.lines[doc])
            at = at.below.setdefault(part, _Folder()) if part else at
    if not root.below:
        return ""
    opened = {f"{folder}/" if folder else "": root}
    shown = _listing(opened, root)
    if counter.count_unrounded(shown) > tokens_max:  # the largest alone
        rows = sorted(root.below.items(), key=lambda row: (-row[1].lines, row[0]))
        for count in range(len(rows) - 1, -1, -1):
            left = _Folder(root.files, root.lines, dict(rows[:count]))
            shown = _listing({next(iter(opened)): left}, root, left_out=len(rows) - count)
            if counter.count_unrounded(shown) <= tokens_max:
                return shown
        return ""
    while True:
        closed = [(f"{name}{part}/", below) for name, each in opened.items() for part, below in each.below.items() if below.below]
        closed = [(name, below) for name, below in closed if name not in opened]
        if not closed:
            return shown
        name, largest = min(closed, key=lambda row: (-row[1].lines, row[0]))
        trial = _listing({**opened, name: largest}, root)
        if counter.count_unrounded(trial) > tokens_max:
            return shown
        opened[name] = largest
        shown = trial


def _listing(opened: Mapping[str, _Folder], root: _Folder, left_out: int = 0) -> str:
    """A line for each folder that stands in an opened one; one that holds folders alone is told by these."""
    rows = [(f"{name}{part}/", below) for name, each in opened.items() for part, below in each.below.items()]
    lines = [f"=== {root.files:,} files, {root.lines:,} lines\n"]
    for name, below in sorted(rows, key=lambda row: row[0]):
        own = below.files - sum(each.files for each in below.below.values())
        if own or name not in opened:
            lines.append(f"{name}  {below.files:,} {'file' if below.files == 1 else 'files'}, {below.lines:,} lines\n")
    if left_out:
        lines.append(f"and {left_out:,} smaller {'folder' if left_out == 1 else 'folders'}\n")
    return "".join(lines)
