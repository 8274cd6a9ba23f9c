"""Build the store changes (a Delta) for one parsed file: its records, search postings and remembered state.

Nothing here reads the store, and nothing depends on any other file's contents: what a name means is resolved
later, so the index of a file is the same whenever and after whatever it is made.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath

import msgspec

from clew.codebase import ENCODING
from clew.codebase.facts import FileFacts, Import, Symbol
from clew.codebase.languages.description import ImportLink
from clew.codebase.roles import find_inline_tests, role_of
from clew.codebase.scopes import digest_links, find_scopes
from clew.records import Blob, Delta, Layer, Record, RecordText, Resolution, SourceState, Trust, make_id
from clew.store.originals import digest_of
from clew.text.embed import Embedder
from clew.text.postings import NO_SCOPE, NameUse, Place, Role, ScopedUse, SearchDocument, make_literal_name, pack_postings
from clew.text.words import extract_words

PRODUCER = "codebase/10"  # name and version of this producer in its Deltas; a new version has every file read again
SIGNATURE_BYTES_MAX = 400  # a longer header is data, not a signature, and is not stored as one
IMPORT_LINES_MAX = 80  # shown of a file's imports; guess: more is a list of names, not what a reader looks for


class IndexNote(msgspec.Struct, array_like=True):
    """What the indexer stores with a file's state between runs: imports as written, what they resolved to, symbol count.

    resolved  (path, confidence) of the imported files; linked  digest of where the imported names stand.
    """

    imports: list[Import] = []
    resolved: list[tuple[str, float]] = []
    is_whole: bool = True
    symbols: int = 0
    linked: int = 0


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    start_line: int
    end_line: int


def file_source_name(path: str) -> str:
    """Return the name of the store source that holds a file's records: `file:<path>`."""
    return f"file:{path}"


def build_file_delta(
    path: str,
    data: bytes,
    facts: FileFacts,
    resolved: Sequence[tuple[str, float]],
    linked: Sequence[ImportLink] = (),
    *,
    size: int,
    stamp: int,
    embedder: Embedder | None = None,
    status: str = "indexed",
    encoding: str = "",
) -> Delta:
    """Build the Delta that replaces a file's records, postings and state with what was parsed from it.

    path      relative to the repository, with forward slashes.
    data      the file's bytes; stored as the original behind every span.
    encoding  that `data` was decoded from; noted in the lineage of each record, so that its bytes can be given back.
    resolved  (path, confidence) of the files that it imports.
    linked    where the names that it imports stand.
    embedder  gives each record a vector as well, when there is a model.
    status    of the file in the report: "cut" where only its beginning was read.
    stamp     of the file's status when it was read, 0 when it changed meanwhile: it is then read again next time.
    """
    digest = digest_of(data)
    starts = _line_starts(data)
    records: list[Record] = []
    documents: list[SearchDocument] = []
    positions: dict[int, int] = {}
    module = next((at for at, symbol in enumerate(facts.symbols) if symbol.kind == "module"), -1)
    seen: dict[str, int] = {}
    role, tests = role_of(path, facts), find_inline_tests(facts.symbols, data)
    children = _children(facts.symbols)
    scopes = find_scopes(facts, linked)
    for at, symbol in enumerate(facts.symbols):
        is_file = at == module
        span = _Span(0, len(data), 1, len(starts)) if is_file else _whole_lines(data, starts, symbol.start, symbol.end)
        qualname = path if is_file else symbol.qualname
        subject = file_source_name(path) if is_file else f"symbol:{path}::{symbol.qualname}"
        times = seen[subject] = seen.get(subject, 0) + 1
        if times > 1:
            subject = f"{subject}#{times}"
        content = digest if is_file else digest_of(data[span.start : span.end])
        parent = positions.get(symbol.parent, positions.get(module, -1)) if not is_file else -1
        record = Record(
            id=make_id("code", subject, content),
            layer=Layer.FACT,
            kind=symbol.kind,
            subject=subject,
            source=file_source_name(path),
            digest=content,
            name=qualname,
            texts=_texts(data, starts, symbol, span, qualname, digest, _imports(data, starts, facts) if is_file else None, is_file=is_file),
            seq=span.start_line,
            parent=records[parent].id if parent >= 0 else "",
            path=path,
            language=facts.language,
            trust=Trust.OBSERVED,
            lineage=((ENCODING, encoding),) if encoding else (),
        )
        positions[at] = len(records)
        records.append(record)
        own_role = Role.TEST if at in tests else role
        found = (scopes.uses[at], scopes.places[at])
        documents.append(_document(record, symbol, data, facts, children.get(at, ()), parent, span, found, is_file=is_file, role=own_role))
    note = IndexNote(list(facts.imports), list(resolved), is_whole=facts.is_whole, symbols=len(records), linked=digest_links(linked))
    return Delta(
        by=PRODUCER,
        source=file_source_name(path),
        is_whole=True,
        records=tuple(records),
        blobs=(Blob(digest, data),),
        segment=pack_postings(documents, resolved, embedder, scopes.links),
        state=SourceState(file_source_name(path), digest, size, stamp, status, _encode(facts.language, note)),
    )


def build_unread_file_delta(path: str, reason: str, *, size: int, stamp: int) -> Delta:
    """Build the Delta of a file whose text is not indexed: one record of name, size and reason; a vendored file gets a state alone."""
    record = Record(
        id=make_id("code", file_source_name(path), reason, str(size)),
        layer=Layer.FACT,
        kind="file",
        subject=file_source_name(path),
        source=file_source_name(path),
        digest="",
        name=path,
        texts=(RecordText(Resolution.NAME, len(path), inline=f"{path} ({reason}, {size} bytes, not read)"),),
        path=path,
    )
    state = SourceState(file_source_name(path), "", size, stamp, reason, _encode("", IndexNote()))
    if reason == "vendored":  # others' code by the ten thousand: the report counts it, and no search should meet it
        return Delta(PRODUCER, file_source_name(path), is_whole=True, state=state)
    return restore_unread_file(record, state)


def restore_unread_file(record: Record, state: SourceState) -> Delta:
    """Build the Delta of a file whose text is not indexed from its one record."""
    path = record.path
    document = SearchDocument(
        record.id, record.layer.value, record.kind, path, (PurePosixPath(path).name, path, "", "", ""), (path, file_source_name(path))
    )
    return Delta(PRODUCER, record.source, is_whole=True, records=(record,), segment=pack_postings([document]), state=state)


def read_language(state: SourceState) -> str:
    """Return the language that a file's stored state names, "" for a file that was not parsed."""
    return state.note.partition("\n")[0]


def read_index_note(state: SourceState) -> IndexNote:
    """Decode the note of a file's stored state. Raises msgspec.DecodeError for a note that another release wrote."""
    note = msgspec.json.decode(state.note.partition("\n")[2], type=IndexNote)
    note.resolved = [(path.encode("latin-1").decode("utf-8", "surrogateescape"), weight) for path, weight in note.resolved]
    return note


def _encode(language: str, note: IndexNote) -> str:
    # A file name that is not UTF-8 holds lone surrogates, which JSON refuses: its bytes as Latin-1 instead.
    plain = [(path.encode("utf-8", "surrogateescape").decode("latin-1"), weight) for path, weight in note.resolved]
    return language + "\n" + msgspec.json.encode(msgspec.structs.replace(note, resolved=plain)).decode()


def _imports(data: bytes, starts: Sequence[int], facts: FileFacts) -> _Span | None:
    """The lines from a file's first import to its last before anything else is defined, None where there is none.

    An edit brings its imports with it, and what stands above them (a licence, a docstring) seldom changes.
    """
    lines = sorted(each.line for each in facts.imports)
    if not lines:
        return None
    defined = sorted(symbol.start_line for symbol in facts.symbols[1:] if symbol.start_line > lines[0])
    limit = defined[0] - 1 if defined else len(starts)
    last = max(line for line in lines if line <= max(limit, lines[0]))
    while (
        last < limit
        and last - lines[0] < IMPORT_LINES_MAX
        and data[starts[last] : starts[last + 1] if last + 1 < len(starts) else None].strip()
    ):
        last += 1  # an import over several lines ends where a blank line follows it
    last = min(last, lines[0] + IMPORT_LINES_MAX - 1)
    return _Span(starts[lines[0] - 1], starts[last] if last < len(starts) else len(data), lines[0], last)


def _texts(
    data: bytes, starts: Sequence[int], symbol: Symbol, span: _Span, name: str, digest: str, imports: _Span | None, *, is_file: bool
) -> tuple[RecordText, ...]:
    """Name, header, head (of a file its imports) and whole; a step that shows no less than the next is left out."""
    line = bisect_right(starts, symbol.signature_start)
    texts = [RecordText(Resolution.NAME, len(name), inline=name, start_line=line, end_line=line)]
    whole = RecordText(Resolution.FULL, span.end - span.start, "", digest, span.start, span.end, span.start_line, span.end_line)
    if not is_file and symbol.signature_start < symbol.signature_end:
        header = _whole_lines(data, starts, symbol.signature_start, symbol.signature_end)
        if (header.start, header.end) != (span.start, span.end) and header.end - header.start <= SIGNATURE_BYTES_MAX:
            # Inline, because hundreds of headers are shown in a packet, and their originals need not be opened for that.
            inline = data[header.start : header.end].decode("utf-8", "replace")
            texts.append(RecordText(Resolution.SIGNATURE, len(inline), inline, start_line=header.start_line, end_line=header.end_line))
    head = imports or _whole_lines(data, starts, span.start, max(symbol.head_end, span.start + 1))
    is_headed = imports is not None or not is_file or symbol.head_end > span.start  # a file may begin with its first symbol
    if is_headed and span.start < head.end < span.end:
        texts.append(_span_text(Resolution.FOLDED, head, digest))
    return (*texts, whole)


def _span_text(resolution: Resolution, span: _Span, digest: str) -> RecordText:
    return RecordText(resolution, span.end - span.start, "", digest, span.start, span.end, span.start_line, span.end_line)


def _document(
    record: Record,
    symbol: Symbol,
    data: bytes,
    facts: FileFacts,
    children: Sequence[Symbol],
    parent: int,
    span: _Span,
    found: tuple[tuple[ScopedUse, ...], tuple[Place, ...]],
    *,
    is_file: bool,
    role: Role,
) -> SearchDocument:
    name = symbol.name if symbol.name == symbol.qualname else f"{symbol.name} {symbol.qualname}"
    defines = (symbol.name, symbol.qualname, record.subject)
    body = b"\n".join(data[start:end] for start, end in (facts.gaps if is_file else _own(symbol, children)))
    if not is_file and symbol.start < symbol.signature_start:
        body = _above(data[symbol.start : symbol.signature_start], symbol.docstring) + body
    if is_file:
        stem = PurePosixPath(record.path).name.split(".")[0]
        dotted = ".".join(PurePosixPath(record.path).with_suffix("").parts)
        name, defines = stem, (record.path, record.subject, dotted.removesuffix(".__init__"))
    uses, places = found
    if is_file:  # no symbol defines these names: only `impact` looks for files that share one
        uses += tuple((make_literal_name(literal), NameUse.MENTION, 1, NO_SCOPE) for literal in facts.literals)
    signature = data[symbol.signature_start : symbol.signature_end].decode("utf-8", "replace")
    return SearchDocument(
        id=record.id,
        layer=record.layer.value,
        kind=record.kind,
        path=record.path,
        texts=(name, record.path, signature, symbol.docstring, body.decode("utf-8", "replace")),
        defines=tuple(dict.fromkeys(define for define in defines if define)),
        uses=uses,
        parent=parent,
        role=role,
        start_line=span.start_line,
        lines=span.end_line - span.start_line + 1,
        places=places,
    )


def _above(lead: bytes, docstring: str) -> bytes:
    """The lines above a header that hold words which its docs do not: decorators, annotations, attributes, marks for tools."""
    if not docstring:
        return lead
    known = set(extract_words(docstring))
    return b"".join(line for line in lead.splitlines(keepends=True) if not known.issuperset(extract_words(line.decode("utf-8", "replace"))))


def _own(symbol: Symbol, children: Sequence[Symbol]) -> list[tuple[int, int]]:
    """Byte ranges of a symbol after its header that no symbol inside it covers."""
    at = max(symbol.signature_end, symbol.start)
    ranges: list[tuple[int, int]] = []
    for child in children:
        if child.start > at:
            ranges.append((at, child.start))
        at = max(at, child.end)
    if at < symbol.end:
        ranges.append((at, symbol.end))
    return ranges


def _children(symbols: Sequence[Symbol]) -> dict[int, list[Symbol]]:
    table: dict[int, list[Symbol]] = {}
    for symbol in symbols:
        table.setdefault(symbol.parent, []).append(symbol)
    return table


def _line_starts(data: bytes) -> list[int]:
    starts = [0, *accumulate([len(line) + 1 for line in data.split(b"\n")])]
    return starts[:-1] if len(starts) < 3 or starts[-2] < len(data) else starts[:-2]


def _whole_lines(data: bytes, starts: Sequence[int], start: int, end: int) -> _Span:
    """The whole lines that hold the bytes [start, end)."""
    first = bisect_right(starts, start) - 1
    last = bisect_right(starts, max(end - 1, start)) - 1
    stop = starts[last + 1] if last + 1 < len(starts) else len(data)
    return _Span(starts[first], stop, first + 1, last + 1)
