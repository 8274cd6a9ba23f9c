"""How a language is described to the parser: its files, its grammar, one query, and functions for what a query cannot say.

A language is one module in this folder that makes one or more `Language`s; `clew.codebase.languages` finds it. Its names, words and
numbers stand in a TOML file beside the module, which `load_language` reads; a language that needs no functions is such a file alone.
Its query, in `.scm` files, captures the nodes of interest, and `clew.codebase.parse` does the rest the same way for every language:
nesting, docs, spans, names, counting.

What the query may capture:

| capture | meaning |
|---|---|
| a `Kind`, such as class or method | a definition of that kind; read by `define`, or by `Language.define` for its node type |
| base | a type that the innermost type definition around it inherits from or implements |
| wrap | a node around one definition that belongs to its span: decorators, `export`, `template<…>` |
| lead | a node right above a definition that belongs to its span: Rust and C# attributes |
| comment | a comment; docs are made of them, references are not |
| mask | text that holds no references: the contents of strings, the name of the package that the file belongs to |
| call | the name in a call: the last identifier before the arguments |
| local | a name that is bound here; in a function it is no reference |
| typed | what says the type of a name: a parameter, a variable, a field; read by `Language.read_types` |
| import | handed to `Language.read_imports` |
| name, body | of the definition in the same pattern, in a language whose grammar has no fields for them |
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from tree_sitter import Node

from clew.codebase.facts import FUNCTION_KINDS, Import, SymbolKind
from clew.codebase.path_index import ImportCandidate, PathIndex

SYMBOL_NAME_BYTES_MAX = 200  # a longer "name" comes from a broken tree and is dropped
WILDCARD_NAMES = (("*", "*"),)  # the names of an import that takes everything out of a module

_SPACE = re.compile(rb"\s+")
_INDENT = re.compile(r"\n([ \t]*)[^\s]")
_PATH = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_JOINT = re.compile(r"::|->|\?\.|!!?\.|\\")
_BEFORE_TYPE = re.compile(r"^(?:[\s&*:?]|(?:mut|const|dyn|impl|readonly|final|struct|enum|class|typename)\b|'[a-z_]\w*\b)+")
_NULLABLE = re.compile(r"\s*\|\s*(?:None|null|undefined|nil)\s*$|^\s*(?:None|null|undefined)\s*\|\s*")
# Types whose methods are those of their argument: what holds one may be used as that one.
_TRANSPARENT = re.compile(
    r"^(?:typing\.|std::(?:\w+::)?)?(?:Optional|Awaitable|Promise|Arc|Rc|Box|unique_ptr|shared_ptr|Readonly|Annotated|Final)\s*[\[<](.*)[\]>]$",
    re.DOTALL,
)
_ARGUMENTS = re.compile(r"\s*\([^()]*\)")
_WRAPPERS = frozenset((
    "await", "await_expression", "parenthesized_expression", "try_expression", "unary_expression", "reference_expression",
    "non_null_expression", "pointer_expression",
))  # fmt: skip
_VALUES: frozenset[SymbolKind] = frozenset(("constant", "variable", "type", "macro"))


@dataclass(slots=True)
class Definition:
    """A definition that a language's query captured, before the parser nests it and turns it into a Symbol; offsets in bytes.

    start, end     the node's own; the parser adds wrappers, attributes and docs.
    qualifier      what stands between the parent's name and this one: the receiver of a Go method.
    has_body       False for a signature in an interface, a prototype, an alias, a value.
    docstring      already known for languages whose docs stand inside; else found above.
    doc_end        where a docstring inside ends; 0 if there is none.
    result         path of the type that a function says it returns.
    is_local       no other file can name it, though it stands in no other definition: C's `static`.
    """

    kind: SymbolKind
    name: str
    start: int
    end: int
    signature_start: int
    signature_end: int
    bases: tuple[str, ...] = ()
    qualifier: str = ""
    has_body: bool = True
    docstring: str = ""
    doc_end: int = 0
    result: str = ""
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Language:
    """How one language is read.

    grammar           module and function that give the grammar: imported when the first such file comes.
    query             see the table above.
    suffixes, file_names, interpreters   which files are in it: words; endings without the dot, whole names in lower
                      case, and programs of a `#!` line without their version.
    keywords          words that are never references.
    define            by node type: how captured definitions are read that `define` cannot read.
    imports           what an import node says.
    resolve           the files that an import in the file `path` may mean; None for a language whose imports name no file.
    manifests         by file name: which folders a manifest gives names to, from its own folder and its bytes.
    shared_suffixes   endings that belong to another language, and what the first bytes show of a file that is in this one.
    family            languages of one family test each other: `a.test.ts` tests `a.js`.
    annotations       node types of annotations that lead a definition and are not part of its signature.
    documentation     for docs that are a string inside: the text of the string that documents this body, and where it ends.
    comment_mark      regular expression of what begins a comment of one line.
    sigil             identifiers that start so are never references: `$` in PHP, `@` in Ruby.
    wrap_is_header    a wrapper's beginning is part of the signature (`export`, `template<…>`), or not (decorators).
    explosive_angles  its grammar explodes on `<` that are left open.
    list_bytes_max    its grammar explodes on broken lists that are longer; 0: on none.
    unended_bytes_max  its grammar may explode on broken expressions that are longer; 0: on none.
    root              what all packages stand under where files are no modules (`java`); "" where each file is one.
    package_pattern   regular expression whose first group is the package that a file says it is in.
    self_words        words for the object whose method this is; `super_words` for it as one of its base class.
    is_member_bare    a member of the type around may be named without a receiver.
    link_import       where the names that an import brings in stand.
    ambient_imports   modules that every file may name without an import.
    read_types        (byte offset, name, what says its type) of a `typed` node.
    read_exports      the names that a file hands on under another name.
    is_named_by_query  its query captures the names of definitions (`name`, joined by dots) and what follows their headers (`body`).
    clean             blanks what the grammar cannot know, such as macros, in bytes of the same length; for the parse alone.
    """

    name: str
    grammar: tuple[str, str]
    query: str
    suffixes: str
    read_imports: Callable[[SourceFile, Node], Iterable[Import]] = lambda _source, _node: ()
    keywords: frozenset[str] = frozenset()
    file_names: str = ""
    interpreters: str = ""
    definition_readers: Mapping[str, DefinitionReader] = field(default_factory=dict[str, "DefinitionReader"])
    resolve_import: ImportResolver | None = None
    manifest_readers: Mapping[str, Callable[[str, bytes], Mapping[str, str]]] = field(
        default_factory=dict[str, "Callable[[str, bytes], Mapping[str, str]]"]
    )
    shared_suffixes: Mapping[str, re.Pattern[bytes]] = field(default_factory=dict[str, re.Pattern[bytes]])
    family: str = ""
    annotations: frozenset[str] = frozenset()
    read_docstring: Callable[[SourceFile, Node], tuple[str, int]] | None = None
    comment_mark: str = r"//[/!]*|#+|--+"
    sigil: str = ""
    wrap_is_header: bool = True
    explosive_angles: bool = False
    list_bytes_max: int = 0
    unended_bytes_max: int = 32_768
    root: str = ""
    package_pattern: str = ""
    self_words: frozenset[str] = frozenset(("self", "this", "Self"))
    super_words: frozenset[str] = frozenset(("super",))
    is_member_bare: bool = False
    link_import: ImportLinker | None = None
    ambient_imports: tuple[str, ...] = ()
    read_types: Callable[[SourceFile, Node], Iterable[tuple[int, str, str]]] | None = None
    read_exports: Callable[[SourceFile, Node], Iterable[tuple[str, str]]] | None = None
    is_named_by_query: bool = False
    clean: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Bytes of a source file with its Language, handed to language modules to read the text of syntax-tree nodes."""

    data: bytes
    language: Language

    def node_text(self, node: Node | None) -> str:
        """Return a node's text on one line; "" for None and for a text longer than SYMBOL_NAME_BYTES_MAX."""
        if node is None:
            return ""
        start, end = node.start_byte, node.end_byte
        if end - start > SYMBOL_NAME_BYTES_MAX:
            return ""
        raw = self.data[start:end]
        if b"\n" in raw or b" " in raw:
            raw = _SPACE.sub(b" ", raw).strip()
        return raw.decode("utf-8", "replace")

    def field_text(self, node: Node, name: str) -> str:
        """Return the text of a node's child in the named grammar field, "" where it has none."""
        return self.node_text(node.child_by_field_name(name))

    def find_line_end(self, start: int, end: int) -> int:
        """Return the offset of the line break after byte `start`, or `end` if there is none before it."""
        found = self.data.find(b"\n", start, end)
        return end if found < 0 else found


DefinitionReader = Callable[[SourceFile, Node, SymbolKind], Iterable[Definition]]
"""Function of a language module that turns a captured node of a kind into its Definitions (none, one or several)."""
ImportResolver = Callable[[PathIndex, str, Import], Iterable[ImportCandidate]]
"""Function (paths of the repository, importing file, import) → files that it may mean, with confidences."""
ImportLink = tuple[str, tuple[str, ...], str]
"""Where a name of this file stands: (name here, with dots, or "*" for all names of a place; the place, as `clew.codebase.scopes` has them;
name there, "" for the place itself)."""
ImportLinker = Callable[[PathIndex, str, Import], Iterable[ImportLink]]
"""Function (paths of the repository, importing file, import) → where the names that it brings in stand."""


def build_definition(
    source: SourceFile,
    node: Node,
    kind: SymbolKind,
    *,
    name: str | None = None,
    body: Node | None = None,
    bases: tuple[str, ...] = (),
    qualifier: str = "",
    place: Node | None = None,
    is_all_header: bool = False,
) -> tuple[Definition, ...]:
    """Return a syntax node's Definition as a tuple of one, by its fields `name` and `body`; an empty tuple when it has no name.

    place          a node around it that is its span.
    is_all_header  its signature is all of it: an alias of several lines.
    Another value, alias or macro has no body, and its signature is its first line.
    """
    own = source.field_text(node, "name") if name is None else name
    if not own:
        return ()
    result = _result_type(source, node) if kind in FUNCTION_KINDS else ""
    place = place or node
    start, end = place.start_byte, place.end_byte
    header = _after_annotations(source, place) if source.language.annotations else start
    if kind in _VALUES and body is None and not is_all_header:
        return (Definition(kind, own, start, end, header, source.find_line_end(header, end), bases, qualifier, has_body=False),)
    body = body or node.child_by_field_name("body")
    ended = _header_end(source, node, body)
    return (Definition(kind, own, start, end, header, ended, bases, qualifier, has_body=body is not None, result=result),)


def _result_type(source: SourceFile, node: Node) -> str:
    """Return the type that a function says it returns, as a path."""
    for name in ("return_type", "result", "returns", "type"):
        if (found := node.child_by_field_name(name)) is not None:
            return read_type_path(source.node_text(found))
    return ""


def _header_end(source: SourceFile, node: Node, body: Node | None) -> int:
    """Return where a header ends: behind the brace that opens the body, or at the node's end without one."""
    if body is None:
        return node.end_byte
    end = body.start_byte
    if source.data[end : end + 1] == b"{":
        return end + 1
    while end > node.start_byte and source.data[end - 1 : end].isspace():
        end -= 1
    return end


def _after_annotations(source: SourceFile, node: Node) -> int:
    """Return where a definition's header starts: behind the annotations that lead it, by themselves or in `modifiers`."""
    end, annotations = node.start_byte, source.language.annotations
    for child in node.children:
        if child.type in annotations:
            end = child.end_byte
            continue
        if not child.type.endswith("modifiers"):
            break
        rest = next((at for at, modifier in enumerate(child.children) if modifier.type not in annotations), child.child_count)
        end = child.children[rest - 1].end_byte if rest else end
        if rest < child.child_count:
            break
    if end > node.start_byte:
        while end < node.end_byte and source.data[end : end + 1].isspace():
            end += 1
    return end


def load_language(module: str, name: str, *, like: Language | None = None, **functions: Any) -> Language:
    """Build a Language from the table `name` of the TOML file beside a module, and its .scm queries; raises KeyError without such a table.

    module     path of the language's module: its `__file__`.
    like       a language whose fields it has where it states none of its own; keywords are added to that one's.
    functions  the fields of `Language` that hold functions.
    """
    path = Path(module)
    data = tomllib.loads(path.with_suffix(".toml").read_text("utf-8"))[name]
    data["grammar"] = tuple(data["grammar"])
    data["query"] = "\n".join(path.with_name(f"{query}.scm").read_text("utf-8") for query in data.pop("queries"))
    data |= {field: split_words(data[field]) for field in ("keywords", "annotations", "self_words", "super_words") if field in data}
    if like is None:
        return Language(name, **data, **functions)
    return replace(like, name=name, **(data | {"keywords": like.keywords | data.get("keywords", frozenset())}), **functions)


def load_tables(path: Path) -> Iterator[Language]:
    """Give the languages of a TOML file that has no module: their queries name what they define.

    Their imports are those of `clew.codebase.written_imports`.
    """
    for name in tomllib.loads(path.read_text("utf-8")):
        yield load_language(str(path), name, is_named_by_query=True)


def dedent_docstring(text: str) -> str:
    """Return a docstring without the indentation that its lines after the first share, and without blanks around it."""
    text = text.expandtabs() if "\t" in text else text
    shared = min(_INDENT.findall(text), key=len, default="")
    return (text.replace("\n" + shared, "\n") if shared else text).strip()


def split_words(text: str) -> frozenset[str]:
    """Return the blank-separated words of a text as a set, such as a keyword list."""
    return frozenset(text.split())


def find_child(node: Node, *types: str) -> Node | None:
    """Return a syntax node's first direct child whose type is one of `types`, None if there is none."""
    return next((child for child in node.children if child.type in types), None)


def build_import(
    node: Node, module: str, names: Iterable[tuple[str, str]] = (), alias: str = "", *, is_relative: bool = False
) -> tuple[Import, ...]:
    """Return the Import of an import statement's node as a tuple of one; an empty tuple when `module` is "".

    names  (name there, name here) of what is taken out of the module.
    """
    return (Import(module, tuple(names), alias, node.start_point[0] + 1, is_relative=is_relative),) if module else ()


def build_dotted_import(node: Node, path: str, *, is_wildcard: bool = False, alias: str = "") -> tuple[Import, ...]:
    """Return the Import of a full dotted path as a tuple of one: `a.b.C` takes C out of a.b; a wildcard takes everything out of a.b.C."""
    if is_wildcard:
        return build_import(node, path, WILDCARD_NAMES)
    module, _, name = path.rpartition(".")
    return build_import(node, module, ((name, alias or name),)) if module else build_import(node, path, (), alias or path)


def get_table(value: object, key: str) -> dict[str, object]:
    """Return the table under a key of a decoded TOML or JSON manifest, an empty dict where there is none."""
    found = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def get_text(value: object, *keys: str) -> str:
    """Return the string under a path of keys of a decoded TOML or JSON manifest, "" where there is none."""
    for key in keys[:-1]:
        value = get_table(value, key)
    found = cast("dict[str, object]", value).get(keys[-1]) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def normalize_base(text: str) -> str:
    """Return a base class's name with dots and without type arguments: `a::B<T>` and `a.B[T]` become `a.B`; "" if no name is left."""
    text = text.partition(" by ")[0]
    for opening in "<[({":
        cut = text.find(opening)
        if cut >= 0:
            text = text[:cut]
    return text.replace("::", ".").replace("\\", ".").strip(" .&*?!")


def normalize_bases(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the normalized names of base classes, each once, in order, without empty ones."""
    return tuple(dict.fromkeys(base for base in map(normalize_base, texts) if base))


@lru_cache(maxsize=1 << 14)  # the same types and callees come again and again
def read_type_path(text: str) -> str:
    """Return a type's name as a path with dots, without references and type arguments; "" where none is left, as of a list or a tuple."""
    text = text.strip().strip("\"'")
    while True:
        before = text
        text = _NULLABLE.sub("", _BEFORE_TYPE.sub("", text)).strip()
        if found := _TRANSPARENT.match(text):
            text = found.group(1).partition(",")[0]
        if text == before:
            break
    if text.startswith(("(", "[")):
        text = text[1:].partition(",")[0] if text.startswith("(") else ""  # of Go's (T, error) the first
        return read_type_path(text) if text and "(" not in text else ""
    if text.endswith("[]"):
        return ""
    for opening in "<[":
        text = text.partition(opening)[0]
    text = _JOINT.sub(".", text).strip(" .&*?!")
    return text if _PATH.fullmatch(text) else ""


def read_expression_path(source: SourceFile, node: Node | None) -> str:
    """Return the path of what an expression gives: `Session.()` for `Session(x)`, `Foo` for `new Foo()`; "" for one that no path says."""
    while node is not None and node.type in _WRAPPERS:
        node = node.named_child(node.named_child_count - 1) if node.named_child_count else None
    if node is None:
        return ""
    kind = node.type
    if kind in ("new_expression", "object_creation_expression", "instance_expression", "composite_literal", "struct_expression"):
        made = next((found for name in ("constructor", "type", "name") if (found := node.child_by_field_name(name)) is not None), None)
        if made is None:
            made = next((child for child in node.named_children if child.type in ("name", "qualified_name")), None)
        return read_type_path(source.node_text(made))
    if "call" not in kind and "invocation" not in kind:
        return ""
    called = node.child_by_field_name("function")
    if called is not None:
        return read_path(source.node_text(called), is_call=True)
    owner, name = node.child_by_field_name("object") or node.child_by_field_name("receiver"), node.child_by_field_name("name")
    name = name or node.child_by_field_name("method")
    if name is None:
        first = node.named_child(0) if node.named_child_count else None  # Kotlin's and Swift's
        return read_path(source.node_text(first), is_call=True)
    return read_path(f"{source.node_text(owner)}.{source.node_text(name)}" if owner is not None else source.node_text(name), is_call=True)


@lru_cache(maxsize=1 << 14)
def read_path(text: str, *, is_call: bool = False) -> str:
    """Return an expression of names, dots and arguments as a path, `()` for each argument list; "" for any other expression."""
    text = _JOINT.sub(".", _ARGUMENTS.sub(".()", text))
    for opening in "<[":
        text = text.partition(opening)[0] if text.endswith((">", "]")) else text
    parts = text.replace(" ", "").replace("\n", "").lstrip("$@").split(".")
    if not all(part == "()" or _PATH.fullmatch(part) for part in parts) or parts[0] == "()":
        return ""
    return ".".join(parts) + (".()" if is_call else "")


def read_declared_types(source: SourceFile, node: Node) -> Iterable[tuple[int, str, str]]:
    """Yield the names that a declaration binds with what says their type: its field `type`, or what its value is made by."""
    stated = node.child_by_field_name("type")
    path = read_type_path(source.node_text(stated)) if stated is not None else ""
    if stated is not None and not path:
        return
    fields = (node.children_by_field_name(name) for name in ("name", "left", "pattern", "declarator"))
    for name in next(filter(None, fields), list[Node]())[:8]:
        found, value = name, node.child_by_field_name("value") or node.child_by_field_name("right")
        if name.type in ("variable_declarator", "init_declarator"):
            found = name.child_by_field_name("name") or name.child_by_field_name("declarator") or name.named_child(0)
            value = name.child_by_field_name("value") or (
                name.named_child(name.named_child_count - 1) if name.named_child_count > 1 else None
            )
        elif name.type == "expression_list":
            found = name.named_child(0)
        while found is not None and found.type in (
            "pointer_declarator",
            "reference_declarator",
            "mut_pattern",
            "variable_name",
            "expression_list",
        ):
            found = found.named_child(found.named_child_count - 1) if found.named_child_count else None
        if found is None:
            continue
        if value is not None and value.type == "expression_list":
            value = value.named_child(0)
        bound = read_path(source.node_text(found))
        of = path or read_expression_path(source, value)
        if bound and of:
            yield found.start_byte, bound, of
