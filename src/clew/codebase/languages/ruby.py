"""Ruby: bodies end with a word, so a header ends with its parameters; blocks of specs are tests."""

from __future__ import annotations

from collections.abc import Iterable

from tree_sitter import Node

from clew.codebase.facts import Import, Kind
from clew.codebase.languages.drafts import Draft, Language, Source, child_of_type, line_of, plain_bases, words

QUERY = """
(class) @def
(module) @def
(method) @def
(singleton_method) @def
(assignment left: (constant)) @def
((call method: (identifier) @_test block: (_)) @def
  (#match? @_test "^(describe|context|it|specify|feature|scenario|shared_examples|test)$"))
((call method: (identifier) @_define arguments: (argument_list . (simple_symbol)) block: (_)) @def
  (#eq? @_define "define_method"))
(call arguments: (argument_list . (method) .)) @wrap
(comment) @comment
(string_content) @mask
(heredoc_content) @mask
(call method: (identifier) @call)
(call method: (constant) @call)
(assignment left: (identifier) @local)
(operator_assignment left: (identifier) @local)
(left_assignment_list (identifier) @local)
(method_parameters (identifier) @local)
(block_parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(optional_parameter name: (identifier) @local)
(keyword_parameter name: (identifier) @local)
(splat_parameter name: (identifier) @local)
(hash_splat_parameter name: (identifier) @local)
(block_parameter name: (identifier) @local)
(exception_variable (identifier) @local)
(for pattern: (identifier) @local)
((call !receiver method: (identifier) @_require arguments: (argument_list (string))) @import
  (#match? @_require "^(require|require_relative|load|autoload)$"))
"""

KEYWORDS = words(
    "BEGIN END alias and begin break case class def defined do else elsif end ensure false for if in module next nil not or "
    "redo rescue retry return self super then true undef unless until when while yield private public protected lambda proc "
    "attr_accessor attr_reader attr_writer include extend prepend module_function new raise puts nil? freeze"
)

_MIXINS = frozenset(("include", "extend", "prepend"))
_CLASS_MAKERS = frozenset(("Struct", "Class", "Data"))


def _draft(node: Node, kind: Kind, path: str, behind: Node | None, bases: tuple[str, ...] = ()) -> tuple[Draft, ...]:
    qualifier, _, name = path.replace("::", ".").rpartition(".")
    if not name or behind is None:
        return ()
    start, end = node.start_byte, node.end_byte
    return (Draft(kind, name, start, end, start, behind.end_byte, bases, qualifier),)


def _mixins(source: Source, body: Node | None) -> list[str]:
    """Return the modules that a class or a module mixes in."""
    names: list[str] = []
    for child in body.named_children if body is not None else ():
        arguments = child.child_by_field_name("arguments")
        if child.type == "call" and arguments is not None and source.text(child.child_by_field_name("method")) in _MIXINS:
            names += [source.text(name) for name in arguments.named_children if name.type in ("constant", "scope_resolution")]
    return names


def _class(source: Source, node: Node) -> Iterable[Draft]:
    name, superclass = node.child_by_field_name("name"), node.child_by_field_name("superclass")
    above = [source.text(superclass.named_child(0))] if superclass is not None and superclass.named_child_count else []
    bases = plain_bases(above + _mixins(source, node.child_by_field_name("body")))
    return _draft(node, "class" if node.type == "class" else "namespace", source.text(name), superclass or name, bases)


def _method(source: Source, node: Node) -> Iterable[Draft]:
    name = node.child_by_field_name("name")
    return [
        Draft(
            "method" if node.type == "singleton_method" else "function",
            source.text(name),
            node.start_byte,
            node.end_byte,
            node.start_byte,
            (node.child_by_field_name("parameters") or name).end_byte,
        )
        for name in ([name] if name is not None else [])
    ]


def _constant(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of a constant, or of a class that is made by `Struct.new … do`."""
    name, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    start, end = node.start_byte, node.end_byte
    block = right.child_by_field_name("block") if right is not None and right.type == "call" else None
    if right is not None and block is not None and source.text(right.child_by_field_name("receiver")) in _CLASS_MAKERS:
        return (Draft("class", source.text(name), start, end, start, source.line_end(start, end)),)
    return (Draft("constant", source.text(name), start, end, start, source.line_end(start, end), has_body=False),)


def _block(source: Source, node: Node) -> Iterable[Draft]:
    """Return the draft of `describe "…" do` and of `define_method(:name) do`."""
    arguments, block = node.child_by_field_name("arguments"), node.child_by_field_name("block")
    if arguments is None or not arguments.named_child_count or block is None:
        return ()
    title = source.text(arguments.named_child(0)).strip("\"':")
    kind: Kind = "method" if source.text(node.child_by_field_name("method")) == "define_method" else "test"
    start, end = node.start_byte, node.end_byte
    return (Draft(kind, title, start, end, start, source.line_end(block.start_byte, block.end_byte)),)


def _import(source: Source, node: Node) -> Iterable[Import]:
    method = source.text(node.child_by_field_name("method"))
    arguments = node.child_by_field_name("arguments")
    string = child_of_type(arguments, "string") if arguments is not None else None
    module = source.text(string).strip("\"'")
    if module and "#{" not in module:
        yield Import(module, (("*", "*"),), "", line_of(node), is_relative=method == "require_relative")


RUBY = Language(
    name="ruby",
    grammar=("tree_sitter_ruby", "language"),
    query=QUERY,
    define={
        "class": _class,
        "module": _class,
        "method": _method,
        "singleton_method": _method,
        "assignment": _constant,
        "call": _block,
    },
    imports=_import,
    keywords=KEYWORDS,
    sigil="@",
    wrap_is_header=True,
)
