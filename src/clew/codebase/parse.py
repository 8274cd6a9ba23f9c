"""Parse: bytes of one file in, the facts about them out.

Code is read by a grammar and one query per language, everything else by `sections`. The steps are the
same for every language: captured nodes become definitions, these get their docs and wrappers and are
nested by their spans, and one sweep over the file gives every call and every name to the innermost
symbol that it stands in. Pure: no file is opened, nothing is remembered between calls but grammars.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from sys import intern
from time import thread_time
from typing import get_args

import numpy as np
from tree_sitter import Node, Parser, QueryCursor, Tree

from clew.codebase.comments import CommentIndex
from clew.codebase.facts import (
    FUNCTION_KINDS,
    MODULE_QUALNAME,
    TYPE_KINDS,
    UNKNOWN_RECEIVER,
    CallCount,
    FileFacts,
    Import,
    ReferenceCount,
    Symbol,
    SymbolKind,
    TypedName,
)
from clew.codebase.languages import EMBEDDING, LANGUAGES, detect_language, load_grammar
from clew.codebase.languages.description import Definition, Language, SourceFile, build_definition, normalize_bases, read_declared_types
from clew.codebase.parts import find_parts
from clew.codebase.sections import BLOCK_LINES_MAX, count_code_words, find_sections, split_into_blocks
from clew.codebase.written_imports import find_written_imports

HEAD_BYTES = 8_192  # of a file, enough to classify it: one page of a disk, some 200 lines
# A parse takes 0.2 s and 100 MB per MB of source; in sympy's tree the largest file written by people has 400 kB.
SOURCE_BYTES_MAX = 2_000_000

# A grammar calls back every 100 operations. Real code needs a call per 20 to 150 bytes; what needs several
# per byte is an ambiguity that multiplies. A count before a clock, so that the same bytes give the same facts.
PARSE_STEPS_PER_BYTE_MAX = 0.25
PARSE_STEPS_MIN = 20_000
PARSE_CPU_S_MAX = 10.0  # the last resort, for what makes each operation slow: 100 times what 400 kB of prose needs in any grammar

# All grammars take memory quadratic in the length of some broken expressions, 1 GB for 20 kB of `a<a<a<…` or `[[[…`, and
# their allocator aborts the process. Three measures that real code keeps far below: brackets left open, bytes without
# anything that ends an expression (by language), bytes without a letter.
OPEN_BRACKETS_MAX = 500
LETTERLESS_BYTES_MAX = 2_048  # as above
_END = re.compile(rb"[;,{}()\[\]]|\n[ \t]*#")
_LIST_END = re.compile(rb"[;{}()\[\]]")
_STATEMENT_END = re.compile(rb"[;{}]")
_WORD = re.compile(rb"[\w\x80-\xff]")
_IN_WORDS = bytes(code for code in range(256) if code > 127 or chr(code).isalnum() or chr(code) in "_+/")
_DEPTH = np.zeros(256, np.int8)
_DEPTH[list(b"([{")] = 1
_DEPTH[list(b")]}")] = -1

# A name with what follows it by dots; the boundary keeps `x1f` out of `0x1f`.
_NAME = re.compile(rb"[-.$@>:]{0,2}(?:\b[A-Za-z_]|[\x80-\xff])[\w\x80-\xff]*(?:(?:\??\.|::|->|\\)[A-Za-z_\x80-\xff][\w\x80-\xff]*)*")
_JOINT = re.compile(rb"\??\.|::|->|\\")
_AFTER_SOMETHING = (b".", b"->", b"::")  # a name behind these belongs to what stands before
_TOKENS_MAX = 1 << 16  # of one language that are remembered, with the names in them
# Matched against the bytes before a name, backwards: `self.a?.` is `.?a.fles`, `f(x).` is `.)x(f`.
_RECEIVER_BACKWARDS = re.compile(rb"(?:(?:\.[?!]{0,2}|::|>-\??|\\)(?:\)[^()]*\()?[\w$@\x80-\xff]+)+")
_ARGUMENTS = re.compile(r"\([^()]*\)")
_BEFORE_RECEIVER = frozenset((b")", b".", b"]", b"}", b'"', b"'", b"`"))  # what stands before is a part of it
_ARROWS = re.compile(r"::|\?->|->|\?\.|!!?\.|\\")
_JOINTS = frozenset(b".:>\\")
_QUOTES = frozenset(b"\"'`")
_LITERAL = re.compile(rb"[^\s\"'`\x80-\xff]*[A-Za-z][^\s\"'`\x80-\xff]*[A-Za-z0-9][^\s\"'`\x80-\xff]*")
LITERAL_BYTES_MIN, LITERAL_BYTES_MAX = 4, 64  # shorter ones are everywhere, longer ones are data; guess
LITERALS_MAX = 400  # kept of one file; one with more is a table of data; guess
RECEIVER_BYTES_MAX = 48  # a longer receiver is an expression, not a name to look up

_DEFINITIONS: tuple[SymbolKind, ...] = get_args(SymbolKind)  # what a query may capture as a definition of this kind
_VALUE_KINDS: frozenset[SymbolKind] = frozenset(("constant", "variable"))
_INHERITING: frozenset[SymbolKind] = TYPE_KINDS | frozenset(("namespace",))
_HOME_OF_VALUES: frozenset[SymbolKind] = frozenset(("module", "namespace"))
_CUT_KINDS: frozenset[SymbolKind] = frozenset(("module", "section", "config"))

_BROKEN = dict.fromkeys(range(0xDC80, 0xDD00), "?")  # how Python holds a byte that is no UTF-8

ByteSpan = tuple[int, int]
"""(start, end) of a stretch of a file in bytes, half-open."""


def parse_file(path: str, data: bytes, language: str | None = None) -> FileFacts:
    """Parse the bytes of one file into its symbols, imports, calls and references; the same bytes give the same facts, and no bytes raise.

    path      relative to its repository, with "/"; tells the language, and names the module.
    language  as `detect_language` names it, where it is known already; an unknown one is read as plain text.
    Cost      about 4 MB of Python in a second; memory about 60 bytes per byte while a tree is alive.
    """
    name = language or detect_language(path, data[:HEAD_BYTES]) or "text"
    known = LANGUAGES.get(name)
    if known is None and name in EMBEDDING:
        return _facts_of_parts(path, name, data)
    if known is None:
        reading = _Reading(find_sections(name, data))
        return _facts(path, name, data, reading, None)
    readable = _without_broken_characters(data)
    tree = _tree(known, known.clean(readable) if known.clean else readable)
    reading = _read(known, SourceFile(data, known), tree) if tree is not None else _Reading([], is_whole=False)
    return _facts(path, name, data, reading, known if tree is not None else None)


def _facts_of_parts(path: str, name: str, data: bytes) -> FileFacts:
    """Return the facts of a file that holds several languages: its scripts by their grammar, each other part as a section."""
    parts = find_parts(name, data)
    scripts = [part for part in parts if part.language]
    language = LANGUAGES[next((part.language for part in scripts if part.language != "javascript"), "javascript")]
    blank = bytearray(byte if byte in b"\r\n" else 32 for byte in data)
    for part in scripts:
        blank[part.start : part.end] = data[part.start : part.end]
    readable = _without_broken_characters(bytes(blank))
    tree = _tree(language, readable, b"\n".join(data[part.start : part.end] for part in scripts)) if scripts else None
    reading = _read(language, SourceFile(bytes(blank), language), tree) if tree is not None else _Reading([], is_whole=not scripts)
    for part in parts:
        if not part.language:
            reading.definitions.append(Definition("section", part.name, part.outer_start, part.outer_end, part.outer_start, part.start))
    reading.masked = reading.masked or bytes(blank)
    return _facts(path, name, data, reading, language if tree is not None else None)


def _without_broken_characters(data: bytes) -> bytes:
    """Return the bytes with "?" for each one that is no UTF-8: tree-sitter decodes what a query compares, and raises for others."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape").translate(_BROKEN).encode()
    return data


def may_exhaust_memory(language: Language, data: bytes) -> bool:
    """Return whether a language's tree-sitter grammar may need gigabytes of memory for these bytes; such a file is read as plain text."""
    if _has_block_without(_WORD, data, LETTERLESS_BYTES_MAX):
        return True
    if _has_block_without(_END, data, language.unended_bytes_max) or _has_block_without(_LIST_END, data, language.list_bytes_max):
        return True
    if max(map(data.count, (b"(", b"[", b"{", b")", b"]", b"}"))) > OPEN_BRACKETS_MAX // 3:
        depth = np.cumsum(_DEPTH[np.frombuffer(data, np.uint8)], dtype=np.int32)
        lowest = np.minimum.accumulate(depth)
        if int((depth - lowest).max()) > OPEN_BRACKETS_MAX or int(lowest[-1]) < -OPEN_BRACKETS_MAX:
            return True
    if data.count(b"/*") - data.count(b"*/") > OPEN_BRACKETS_MAX:
        return True
    if not language.explosive_angles or data.count(b"<") < OPEN_BRACKETS_MAX:
        return False
    return any(part.count(b"<") - part.count(b">") > OPEN_BRACKETS_MAX for part in _STATEMENT_END.split(data))


def _has_block_without(pattern: re.Pattern[bytes], data: bytes, size: int) -> bool:
    """Say whether a whole block of a size has no match and is not one long token such as base64; never for size 0.

    A stretch of twice the size is sure to fill a block; looking at blocks costs one short search each.
    """
    if not size:
        return False
    blocks = (at for at in range(0, len(data) - size + 1, size) if pattern.search(data, at, at + size) is None)
    return any(len(data[at : at + size].translate(None, _IN_WORDS)) * 16 > size for at in blocks)


def _tree(language: Language, data: bytes, code: bytes | None = None) -> Tree | None:
    """Return the syntax tree, None if the file is too large or too hard to read.

    code  what of `data` is not blank, where the rest was blanked: what is hard to read is looked for in it alone.
    """
    if len(data) > SOURCE_BYTES_MAX or may_exhaust_memory(language, data if code is None else code):
        return None
    steps, steps_max = 0, PARSE_STEPS_MIN + int(len(data) * PARSE_STEPS_PER_BYTE_MAX)
    cpu_s_max = thread_time() + PARSE_CPU_S_MAX

    def is_too_long(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - the grammar's own signature
        nonlocal steps
        steps += 1
        return steps > steps_max or (not steps & 63 and thread_time() > cpu_s_max)

    parser = Parser(load_grammar(language.name)[0])
    try:
        return parser.parse(lambda offset, _point: data[offset : offset + 65_536], progress_callback=is_too_long)
    except ValueError:  # what it raises when the callback stopped it; the caller sees None and reads lines
        return None


@dataclass(slots=True)
class _Reading:
    """What a reader found in a file before anything is nested."""

    definitions: list[Definition]
    calls: list[ByteSpan] = field(default_factory=list[ByteSpan])
    bindings: list[ByteSpan] = field(default_factory=list[ByteSpan])
    imports: tuple[Import, ...] = ()
    types: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    exports: tuple[tuple[str, str], ...] = ()
    masked: bytes | bytearray = b""
    literals: tuple[str, ...] = ()
    docstring: str = ""
    doc_end: int = 0
    is_whole: bool = True


def _spans_of(nodes: Iterable[Node]) -> list[ByteSpan]:
    """Return the places of some nodes in order, without the empty ones that the grammar made up where it missed something."""
    return sorted([(start, end) for start, end in [(node.start_byte, node.end_byte) for node in nodes] if end > start])


def _read(language: Language, source: SourceFile, tree: Tree) -> _Reading:
    """Run a language's query over a tree and collect what it captures."""
    root = tree.root_node
    query = load_grammar(language.name)[1]
    captures = QueryCursor(query).captures(root)
    matches = QueryCursor(query).matches(root) if language.is_named_by_query else []
    named = _named(source, matches)
    definitions = _definitions(language, source, captures, named)
    _wrap(language, definitions, captures.get("wrap", ()))
    reading = _Reading(definitions, _spans_of(captures.get("call", ())), _spans_of(captures.get("local", ())), is_whole=not root.has_error)
    comments = _spans_of(captures.get("comment", ()))
    if language.read_docstring is not None:
        reading.docstring, reading.doc_end = language.read_docstring(source, root)
    else:
        reading.docstring = _document(source, definitions, CommentIndex(source, comments, _spans_of(captures.get("lead", ()))))
    read_types = language.read_types or read_declared_types
    reading.types = sorted(found for node in captures.get("typed", ()) for found in read_types(source, node))
    if language.read_exports is not None:
        reading.exports = tuple(found for node in captures.get("export", ()) for found in language.read_exports(source, node))
    if matches:  # `def f(x)`, where a definition is a call itself: its head calls nothing
        heads = {node.start_byte for _, captured in matches for node in captured.get("name", ())}
        reading.calls = [call for call in reading.calls if call[0] not in heads]
    imports = captures.get("import", ())
    if imports and reading.calls:
        starts = {node.start_byte for node in imports}  # `require(…)` is an import, no call
        reading.calls = [call for call in reading.calls if call[0] not in starts]
    masked = bytearray(source.data)
    strings = _spans_of(captures.get("mask", ()))
    reading.literals = _literals(source.data, strings)
    for start, end in comments + strings + _spans_of(imports):
        masked[start:end] = b" " * (end - start)
    reading.masked = masked
    reading.imports = tuple(found for node in sorted(imports, key=_start_of) for found in language.read_imports(source, node))
    return reading


def _named(source: SourceFile, matches: Iterable[tuple[int, Mapping[str, Sequence[Node]]]]) -> dict[tuple[ByteSpan, str], Definition]:
    """Return, by place and kind, the definitions whose name and body the query captures beside them; the first of a node counts."""
    found: dict[tuple[ByteSpan, str], Definition] = {}
    for _, captured in matches:
        names = captured.get("name")
        for kind in _DEFINITIONS if names else ():
            for node in captured.get(kind, ()):
                said = ".".join(source.node_text(name).strip("\"'` ") for name in names or ()).replace("::", ".").replace(":", ".")
                qualifier, _, name = ("", "", said) if kind == "test" else said.rpartition(".")
                body = next(iter(captured.get("body", ())), None)
                for made in build_definition(source, node, kind, name=name, qualifier=qualifier, body=body):
                    made.end = max(made.end, body.end_byte) if body is not None else made.end
                    made.kind = "method" if qualifier and kind == "function" else kind
                    found.setdefault(((node.start_byte, node.end_byte), kind), made)
    return found


def _definitions(
    language: Language,
    source: SourceFile,
    captures: Mapping[str, Sequence[Node]],
    named: Mapping[tuple[ByteSpan, str], Definition],
) -> list[Definition]:
    """Return the definitions that were captured, each once, with their bases."""
    found: dict[tuple[int, int, str, str], Definition] = {}
    nameless: list[Definition] = []  # no definition takes over what they inherit
    for kind in _DEFINITIONS:
        for node in captures.get(kind, ()):
            if (known := named.get(((node.start_byte, node.end_byte), kind))) is not None:
                found.setdefault((known.start, known.end, known.kind, known.name), known)
                continue
            made = tuple(language.definition_readers.get(node.type, build_definition)(source, node, kind))
            for each in made or (Definition(kind, "", node.start_byte, node.end_byte, 0, 0),):
                if each.name and each.end > each.start:
                    found.setdefault((each.start, each.end, each.kind, each.name), each)
                else:
                    nameless.append(each)
    definitions = sorted(found.values(), key=_outermost_first)
    types = iter(sorted([each for each in (*definitions, *nameless) if each.kind in _INHERITING], key=_outermost_first))
    around: list[Definition] = []
    following = next(types, None)
    for base in sorted(captures.get("base", ()), key=_start_of):
        while following is not None and following.start <= base.start_byte:
            around.append(following)
            following = next(types, None)
        while around and around[-1].end <= base.start_byte:
            around.pop()
        if around:
            around[-1].bases = normalize_bases((*around[-1].bases, source.node_text(base)))
    return definitions


def _outermost_first(definition: Definition) -> tuple[int, int]:
    return definition.start, -definition.end


def _literals(data: bytes, spans: Iterable[ByteSpan]) -> tuple[str, ...]:
    """Return the strings that read like names (events, routes, keys, tables, flags), each once, in order of their first place."""
    found: dict[str, None] = {}
    for start, end in spans:
        if LITERAL_BYTES_MIN <= end - start <= LITERAL_BYTES_MAX and start and data[start - 1] in _QUOTES:
            text = data[start:end]
            if _LITERAL.fullmatch(text):
                found[text.decode("ascii")] = None
                if len(found) >= LITERALS_MAX:
                    break
    return tuple(found)


def _start_of(node: Node) -> int:
    return node.start_byte


def _wrap(language: Language, definitions: Iterable[Definition], wraps: Iterable[Node]) -> None:
    """Widen definitions by the wrappers right around them, and their signatures where the wrapper is a part of these."""
    outer: dict[ByteSpan, tuple[int, int, int]] = {}
    for node in wraps:
        fields = ("definition", "declaration", "value")
        inner = next((found for name in fields if (found := node.child_by_field_name(name)) is not None), None)
        if inner is None and node.named_child_count:
            inner = node.named_child(node.named_child_count - 1)
        if inner is not None:
            header = next((child.start_byte for child in node.children if child.type != "decorator"), node.start_byte)
            outer[inner.start_byte, inner.end_byte] = (node.start_byte, node.end_byte, header)
    for each in definitions if outer else ():
        span = (each.start, each.end)
        while (wider := outer.get(span)) is not None and wider[:2] != span:
            span = wider[:2]
            if language.wrap_is_header:
                each.signature_start = wider[2]
        each.start, each.end = span


def _document(source: SourceFile, definitions: Iterable[Definition], comments: CommentIndex) -> str:
    """Give definitions the docs that stand above them; return what stands at the top of the file."""
    first = len(source.data)
    for each in definitions:
        each.start, spans = comments.find_above(each.start)
        each.docstring = comments.clean_text(spans)
        first = min(first, each.start)
    return comments.find_file_comment(first)


def _nest(definitions: list[Definition], module: Definition) -> tuple[list[Definition], list[int]]:
    """Return the definitions in order with the file first, and each one's parent as an index into them.

    Values are kept at file and namespace level only, once a name; functions in types become methods.
    A definition that overlaps another without lying in it, as broken trees may give, is left out.
    """
    kept, parents, stack = [module], [-1], [0]
    values: set[tuple[int, str]] = set()
    for definition in sorted(definitions, key=_outermost_first):
        while definition.start >= kept[stack[-1]].end and len(stack) > 1:
            stack.pop()
        parent = stack[-1]
        around = kept[parent]
        if definition.end > around.end:
            continue
        if definition.kind in _VALUE_KINDS:
            if around.kind not in _HOME_OF_VALUES or (parent, definition.name) in values:
                continue
            values.add((parent, definition.name))
        if definition.kind == "function" and around.kind in TYPE_KINDS:
            definition.kind = "method"
        if not definition.has_body and definition.kind == "function" and around.kind in FUNCTION_KINDS:
            continue  # `Type name(argument);` in C++ reads like a prototype
        stack.append(len(kept))
        kept.append(definition)
        parents.append(parent)
    return kept, parents


def _own_spans(kept: Sequence[Definition]) -> list[tuple[int, int, int]]:
    """Return (start, end, index of the innermost definition) for every byte, in order, without empty ones."""
    spans: list[tuple[int, int, int]] = []
    stack: list[int] = []
    at = 0
    for index, start in [*((index, each.start) for index, each in enumerate(kept)), (-1, kept[0].end)]:
        while stack and kept[stack[-1]].end <= start:
            top = stack.pop()
            if kept[top].end > at:
                spans.append((at, kept[top].end, top))
                at = kept[top].end
        if start > at:
            spans.append((at, start, stack[-1]))
            at = start
        stack.append(index)
    return spans


def _cut_long(data: bytes, kept: Sequence[Definition]) -> list[Definition]:
    """Return blocks for the stretches that are too long and have no better name: of the file, of a section, of a table."""
    blocks: list[Definition] = []
    for start, end, owner in _own_spans(kept):
        if kept[owner].kind not in _CUT_KINDS or data.count(b"\n", start, end) <= BLOCK_LINES_MAX:
            continue
        is_headed = owner > 0 and start == kept[owner].start  # a section keeps its heading
        blocks.extend(split_into_blocks(data, kept[owner].signature_end if is_headed else start, end))
    return blocks


def _facts(path: str, name: str, data: bytes, reading: _Reading, language: Language | None) -> FileFacts:
    """Nest the definitions of a file, count what they mention, and freeze all of it."""
    module = Definition("module", _module_name(path), 0, len(data), 0, 0, docstring=reading.docstring, doc_end=reading.doc_end)
    kept, parents = _nest(reading.definitions, module)
    blocks = _cut_long(data, kept)
    if blocks:
        kept, parents = _nest([*kept[1:], *blocks], module)
    spans = _own_spans(kept)
    own: Mapping[int, set[str]] = {}
    types: dict[int, list[TypedName]] = {}
    package = ""
    if language is None:
        calls, references = _mentions(data, kept, spans)
    else:
        own, bound = _bound_names(data, reading.bindings, kept, parents, spans)
        calls, references = _count(language, data, reading, kept, bound, spans)
        types = _owned_types(reading.types, spans)
        if language.package_pattern and (found := re.search(language.package_pattern.encode(), data, re.MULTILINE)):
            package = re.sub(r"::|\\", ".", found.group(1).decode("utf-8", "replace"))
    line_starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
    heads = _heads(data, kept, parents)
    qualnames = _qualnames(kept, parents)
    symbols = tuple(
        Symbol(
            definition.kind,
            definition.name,
            qualnames[index],
            parents[index],
            definition.start,
            definition.end,
            bisect_right(line_starts, definition.start),
            bisect_right(line_starts, max(definition.start, definition.end - 1)),
            definition.signature_start,
            definition.signature_end,
            heads[index],
            definition.docstring,
            calls[index],
            references[index],
            definition.bases,
            definition.result,
            tuple(sorted(own.get(index, ()))),
            tuple(types.get(index, ())),
            definition.is_local,
        )
        for index, definition in enumerate(kept)
    )
    gaps = tuple((start, end) for start, end, owner in spans if owner == 0)
    imports = reading.imports or find_written_imports(path, data)
    return FileFacts(path, name, symbols, imports, gaps, reading.is_whole, reading.literals, package, reading.exports)


def _module_name(path: str) -> str:
    """Return what a file is called by those who import it: its stem, or its folder's name for an index file."""
    folder, _, name = path.rpartition("/")
    stem = name.split(".")[0] or name
    if stem in ("__init__", "index", "mod") and folder:
        return folder.rpartition("/")[2]
    return stem or path or "?"


def _qualnames(kept: Sequence[Definition], parents: Sequence[int]) -> list[str]:
    qualnames = [MODULE_QUALNAME]
    for definition, parent in zip(kept[1:], parents[1:], strict=True):
        own = f"{definition.qualifier}.{definition.name}" if definition.qualifier else definition.name
        joint = " > " if definition.kind in ("section", "text") else "."
        qualnames.append(intern(qualnames[parent] + joint + own if parent else own))
    return qualnames


def _heads(data: bytes, kept: Sequence[Definition], parents: Sequence[int]) -> list[int]:
    """Return where each definition's head ends: see `Symbol.head_end`."""
    heads = [
        definition.end if definition.kind in _HEAD_IS_ALL else max(definition.signature_end, definition.doc_end) for definition in kept
    ]
    heads[0] = kept[0].end
    is_cut: set[int] = set()
    for index in range(1, len(kept)):
        parent, definition = parents[index], kept[index]
        if not definition.has_body or parent in is_cut or (kept[parent].kind not in _HEAD_IS_ALL and parent):
            continue
        is_cut.add(parent)
        floor = max(kept[parent].signature_end, kept[parent].doc_end)
        end = definition.start
        while end > floor and data[end - 1 : end].isspace():
            end -= 1
        heads[parent] = max(end, floor)
    return heads


_HEAD_IS_ALL: frozenset[SymbolKind] = TYPE_KINDS | frozenset(("namespace", "type"))


def _mentions(
    data: bytes, kept: Sequence[Definition], spans: Sequence[tuple[int, int, int]]
) -> tuple[list[tuple[CallCount, ...]], list[tuple[ReferenceCount, ...]]]:
    """Return no calls, and the code-like words of each section."""
    counts = [Counter[str]() for _ in kept]
    for start, end, owner in spans:
        counts[owner].update(count_code_words(data[start:end].decode("utf-8", "replace")))
    return [()] * len(kept), [tuple((intern(name), "", times) for name, times in count.items()) for count in counts]


def _count(
    language: Language,
    data: bytes,
    reading: _Reading,
    kept: Sequence[Definition],
    bound: Mapping[int, set[str]],
    spans: Sequence[tuple[int, int, int]],
) -> tuple[list[tuple[CallCount, ...]], list[tuple[ReferenceCount, ...]]]:
    """Return the calls and the references in each definition's own text."""
    defined = {definition.name for definition in kept}
    calls = _calls(data, reading.calls, len(kept), spans)
    texts: list[list[bytes | bytearray]] = [[] for _ in kept]
    for start, end, owner in spans:
        texts[owner].append(reading.masked[start:end])
    all_calls: list[tuple[CallCount, ...]] = []
    all_references: list[tuple[ReferenceCount, ...]] = []
    keywords, sigil, nothing = language.keywords, ord(language.sigil or " "), frozenset[str]()
    seen = _tokens.setdefault(language.name, {})
    if len(seen) > _TOKENS_MAX:
        seen.clear()
    for index, definition in enumerate(kept):
        own_bound = bound.get(index, nothing)
        names: dict[tuple[str, str], int] = {}
        for token, times in Counter(_NAME.findall(b" ".join(texts[index]))).items():
            if (read := seen.get(token)) is None:
                read = seen[token] = tuple(
                    (name, receiver)
                    for name, receiver in _split_token(token, sigil)
                    if name not in keywords and (len(name) > 1 or name.isupper())
                )
            for key in read:
                if key[1] or key[0] not in own_bound:
                    names[key] = names.get(key, 0) + times
        kept_calls: list[CallCount] = []
        for (name, receiver), times in calls[index].items():
            for key in ((name, receiver), (name, UNKNOWN_RECEIVER)):
                if key in names:
                    names[key] -= times
                    break
            if receiver or name not in own_bound or name in defined:
                kept_calls.append((intern(name), intern(receiver), times))
        if (definition.name, "") in names:
            names[definition.name, ""] -= 1  # its own header
        all_calls.append(tuple(kept_calls))
        all_references.append(tuple([(name, receiver, times) for (name, receiver), times in names.items() if times > 0]))
    return all_calls, all_references


_tokens: dict[str, dict[bytes, tuple[tuple[str, str], ...]]] = {}  # language → token → names in it: they come again and again


def _split_token(token: bytes, sigil: int) -> Iterable[tuple[str, str]]:
    """Yield (name, receiver) of each name in a token: `a.b` is a, and b of a; of what a sigil marks only what it holds."""
    text = token.lstrip(b"-.$@>:")
    parts = _JOINT.split(text)
    receiver = UNKNOWN_RECEIVER if token[: len(token) - len(text)].endswith(_AFTER_SOMETHING) else ""
    if sigil in token[: len(token) - len(text)]:
        receiver, parts = receiver or parts[0].decode("utf-8", "replace"), parts[1:]
    for part in parts:
        name = intern(part.decode("utf-8", "replace"))
        yield name, intern(receiver)
        if receiver != UNKNOWN_RECEIVER:
            receiver = f"{receiver}.{name}" if receiver else name


def _owned_types(types: Sequence[tuple[int, str, str]], spans: Sequence[tuple[int, int, int]]) -> dict[int, list[TypedName]]:
    """Return what says the types of names by the definition in whose own text it stands."""
    owned: dict[int, list[TypedName]] = {}
    at = 0
    for start, name, path in types:
        while spans[at][1] <= start:
            at += 1
        owned.setdefault(spans[at][2], []).append((intern(name), intern(path)))
    return owned


def _bound_names(
    data: bytes, bindings: Sequence[ByteSpan], kept: Sequence[Definition], parents: Sequence[int], spans: Sequence[tuple[int, int, int]]
) -> tuple[Mapping[int, set[str]], Mapping[int, set[str]]]:
    """Return, for functions, the names that they bind, and those that they or the functions around them bind."""
    own: dict[int, set[str]] = {}
    at = 0
    for start, end in bindings:
        while spans[at][1] <= start:
            at += 1
        owner = spans[at][2]
        if kept[owner].kind in FUNCTION_KINDS:
            own.setdefault(owner, set()).add(data[start:end].decode("utf-8", "replace"))
    bound = dict(own)
    for index in range(1, len(kept)):
        if kept[index].kind in FUNCTION_KINDS and parents[index] in bound:
            bound[index] = bound[parents[index]] | bound.get(index, set())
    return own, bound


def _calls(data: bytes, names: Sequence[ByteSpan], count: int, spans: Sequence[tuple[int, int, int]]) -> list[dict[tuple[str, str], int]]:
    """Return, for each definition, how often it calls which name on which receiver, in order of the first call."""
    calls: list[dict[tuple[str, str], int]] = [{} for _ in range(count)]
    at = 0
    for start, end in names:
        while spans[at][1] <= start:
            at += 1
        receiver = ""
        if start and data[start - 1] in _JOINTS:
            receiver = UNKNOWN_RECEIVER
            found = _RECEIVER_BACKWARDS.match(data[max(0, start - RECEIVER_BYTES_MAX) : start][::-1])
            if found is not None and data[start - found.end() - 1 : start - found.end()] not in _BEFORE_RECEIVER:
                text = found.group()[::-1].decode("utf-8", "replace")
                receiver = _ARROWS.sub(".", _ARGUMENTS.sub(".()", text)).rstrip(".")
        key = (data[start:end].decode("utf-8", "replace"), receiver)
        own = calls[spans[at][2]]
        own[key] = own.get(key, 0) + 1
    return calls
