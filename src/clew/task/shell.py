"""Parse shell command lines with tree-sitter-bash into simple commands. The bodies of here-documents are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import thread_time

import msgspec
import tree_sitter_bash
from msgspec.structs import replace
from tree_sitter import Language, Node, Parser

from clew.records import ShellLine, SimpleCommand

COMMAND_CHARS_MAX = 8_000  # longer command lines carry a document; the worst broken line of this size takes a second to parse
PARSE_CPU_S_MAX = 0.5  # a thousand times what a usual line needs; some broken ones take quadratic time
DEPTH_MAX = 150  # of nested nodes; guess: `a && b` nests once for each `&&`

# Words in front of a command that change how it runs, and how many of their own arguments follow.
_WRAPPERS = dict.fromkeys(("sudo", "time", "nice", "nohup", "env", "command", "exec", "caffeinate"), 0) | {"timeout": 1, "stdbuf": 1}
_QUOTES = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|\\(.)", re.DOTALL)
_DOCUMENT = frozenset(("<<", "<<-", "heredoc_start", "heredoc_body", "heredoc_end"))
_SEQUENCES = frozenset(("program", "compound_statement", "subshell", "do_group", "if_statement", "elif_clause", "else_clause", "case_item"))
_SIMPLE = frozenset(("command", "declaration_command", "unset_command", "test_command"))
_ASSIGNMENTS = frozenset(("variable_assignment", "variable_assignments"))
_OTHERS = re.compile(rb"[\x80-\xff]")  # the grammar asks C of them what it may be asked of bytes alone, and crashes
_GIVING_UP = frozenset(("exit", "return", "false"))  # `a || exit 1` hands on that a failed
_CHOICES = frozenset(("if_statement", "case_statement"))
_LOOPS = frozenset(("for_statement", "c_style_for_statement", "while_statement"))
_WRITING = frozenset((">", ">>", ">|", "&>", "&>>", ">&"))
_SHELLS, _GIVES_SCRIPT = frozenset(("bash", "sh", "zsh", "dash", "ksh", "nix-shell")), re.compile(r"-[a-z]{0,5}c|--run|--command")
_CONTROL = frozenset(("!", "{", "}", "fi", "done", "then", "do"))
_BASH = Language(tree_sitter_bash.language())


class _Around(msgspec.Struct, frozen=True):
    """What a node inherits from those around it.

    redirects  nodes that the grammar hangs on the whole of which this node is the last command.
    is_piped   what the last command below this node writes goes into another one.
    """

    redirects: tuple[Node, ...] = ()
    is_piped: bool = False
    reads_pipe: bool = False
    is_status_lost: bool = False
    is_substituted: bool = False
    is_repeated: bool = False
    is_background: bool = False
    is_conditional: bool = False
    depth: int = 0


def parse_shell(command: str) -> ShellLine:
    """Parse a command line, at most its first COMMAND_CHARS_MAX characters. Parts with a syntax error are left out. Cost: about 0.1 ms."""
    source = f"{command[:COMMAND_CHARS_MAX]}\n".encode("utf-8", "replace")  # the end of a line ends a document that was cut off
    root, line = _without_documents(source)
    is_whole = root is not None and not root.has_error
    if not is_whole and b"<<" in source:  # lest a document's lines pass for commands
        root, line = _without_documents(source[: source.index(b"\n", source.index(b"<<")) + 1])
    if root is None:
        return ShellLine(is_whole=False)
    walk = _Walk(line, is_whole)
    commands = tuple(walk.commands(root, _Around(is_status_lost=not is_whole)))
    return ShellLine(commands, walk.is_whole)


def _without_documents(source: bytes) -> tuple[Node | None, bytes]:
    """A line without its here-documents, and the root of its syntax tree, None where parsing takes too long."""
    root = _tree(source)
    if root is None or b"<<" not in source or not (spans := sorted(_documents(root), reverse=True)):
        return root, source
    for start, end in spans:
        source = source[:start] + source[end:]
    return _tree(source), source


def _tree(source: bytes) -> Node | None:
    """The root of the syntax tree; None where parsing takes too long."""
    ascii_only = _OTHERS.sub(b"x", source)
    cpu_s_max = thread_time() + PARSE_CPU_S_MAX
    try:
        return (
            Parser(_BASH).parse(lambda offset, _: ascii_only[offset:], progress_callback=lambda _, __: thread_time() > cpu_s_max).root_node
        )
    except ValueError:  # what it raises when the callback stopped it
        return None


def _documents(root: Node) -> Iterator[tuple[int, int]]:
    """Byte spans of what belongs to here-documents."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in _DOCUMENT:
            yield node.start_byte - (node.type == "heredoc_body"), node.end_byte  # with the line's end before it
        else:
            waiting.extend(node.children)


@dataclass(slots=True)
class _Walk:
    """One walk through the syntax tree of `source`; `is_whole` becomes False where it is too deep.

    options  those of `set` that let a failure of an earlier command become the status of the line: "errexit", "pipefail".
    """

    source: bytes
    is_whole: bool
    options: set[str] = field(default_factory=set[str])

    def commands(self, node: Node, around: _Around) -> Iterator[SimpleCommand]:
        """Yield the simple commands below a node, each before those that are substituted into it."""
        if around.depth > DEPTH_MAX:
            self.is_whole = False
            return
        kind = node.type
        around = replace(around, depth=around.depth + 1, is_conditional=around.is_conditional or kind in _CHOICES)
        if kind in _SIMPLE:
            yield from self._simple(node, around)
        elif kind in _SEQUENCES:
            yield from self._sequence(node, around)
        elif kind == "list":
            yield from self._list(node, around)
        elif kind == "pipeline":
            yield from self._pipeline(node, around)
        elif kind == "redirected_statement":
            redirects = tuple(child for child in node.named_children if child.type == "file_redirect")
            around = replace(around, redirects=(*redirects, *around.redirects))
            yield from self._each((child for child in node.named_children if child.type != "file_redirect"), around)
        elif kind in ("command_substitution", "process_substitution"):
            around = replace(around, redirects=(), is_piped=False, reads_pipe=False, is_substituted=True)
            yield from self._sequence(node, around)
        else:  # a loop, a choice, a word: what is in it may run
            lost = around.is_status_lost or kind not in _ASSIGNMENTS
            repeated = around.is_repeated or kind in _LOOPS
            yield from self._each(node.named_children, replace(around, is_status_lost=lost, is_repeated=repeated))

    def _each(self, nodes: Iterable[Node], around: _Around) -> Iterator[SimpleCommand]:
        for node in nodes:
            if node.child_count:
                yield from self.commands(node, around)

    def _sequence(self, node: Node, around: _Around) -> Iterator[SimpleCommand]:
        """Statements one after the other: the last one's status is that of all, unless it runs in the background."""
        inherited = replace(around, is_piped=False, is_status_lost=around.is_status_lost or self._loses(around))
        statements = node.named_children
        for at, child in enumerate(statements, 1):
            is_last = at == len(statements)
            is_background = (after := child.next_sibling) is not None and after.type == "&"
            is_final = is_last or ("errexit" in self.options and child.type != "list")  # a failure within a list ends no script
            is_lost = inherited.is_status_lost or is_background or not is_final
            redirects = around.redirects if is_last else ()
            background = around.is_background or is_background
            yield from self._each([child], replace(inherited, redirects=redirects, is_status_lost=is_lost, is_background=background))

    def _loses(self, around: _Around) -> bool:
        """Say whether a pipe behind a command hides its exit status."""
        return around.is_piped and "pipefail" not in self.options

    def _list(self, node: Node, around: _Around) -> Iterator[SimpleCommand]:
        """`a && b`, `a || b`: a pipe or a redirection behind it concerns b alone, though the grammar hangs it on both."""
        left, *rest = node.named_children
        is_or = (
            any(child.type == "||" for child in node.children) and self._text(rest[0]).split(" ", 1)[0] not in _GIVING_UP if rest else False
        )
        before = replace(around, redirects=(), is_piped=False, is_status_lost=around.is_status_lost or is_or)
        yield from self._each([left], before)
        is_other = any(child.type == "||" for child in node.children)
        yield from self._each(rest, replace(around, reads_pipe=False, is_conditional=around.is_conditional or is_other))

    def _pipeline(self, node: Node, around: _Around) -> Iterator[SimpleCommand]:
        parts = node.named_children
        for at, part in enumerate(parts, 1):
            is_last = at == len(parts)
            redirects = around.redirects if is_last else ()
            reads_pipe = around.reads_pipe if at == 1 else True
            yield from self._each(
                [part], replace(around, redirects=redirects, is_piped=around.is_piped or not is_last, reads_pipe=reads_pipe)
            )

    def _simple(self, node: Node, around: _Around) -> Iterator[SimpleCommand]:
        words: list[str] = []
        writes: list[str] = []
        parts = [child for child in node.children if child.type not in _ASSIGNMENTS or node.type != "command"]
        if node.type == "test_command":
            words, parts = self._text(node).split(), []
        for part in (*parts, *around.redirects):
            if part.type == "file_redirect":
                target, *arguments = part.children_by_field_name("destination") or [None]
                if target is not None and _is_write(part):
                    writes.append(self._text(target))
                words.extend(self._text(argument) for argument in arguments if argument is not None)
            elif part.type != "herestring_redirect":
                words.append(self._text(part))
        kept, folder = _bare(words)
        if kept:
            lost = around.is_status_lost or self._loses(around)
            if kept[0] == "set":
                self._set(kept[1:])
            if given := _script_of(kept):
                source = f"{given[:COMMAND_CHARS_MAX]}\n".encode("utf-8", "replace")
                if (root := _tree(source)) is not None and not root.has_error:
                    yield from _Walk(source, is_whole=True).commands(root, replace(around, redirects=(), is_status_lost=lost))
                    return
            yield SimpleCommand(
                tuple(kept), tuple(writes), around.reads_pipe, lost, around.is_substituted, around.is_repeated, around.is_background,
                around.is_conditional, folder,
            )  # fmt: skip
        inner = replace(around, redirects=(), is_status_lost=True)
        yield from self._each((*node.named_children, *around.redirects), inner)

    def _text(self, node: Node) -> str:
        word = self.source[node.start_byte : node.end_byte].decode("utf-8", "replace").replace("\\\n", " ")
        if '"' not in word and "'" not in word and "\\" not in word:
            return word
        return _QUOTES.sub(lambda found: next(group for group in found.groups() if group is not None), word)

    def _set(self, words: list[str]) -> None:
        """Follow `set -euo pipefail` and its like."""
        for at, word in enumerate(words):
            change = self.options.add if word.startswith("-") else self.options.discard
            if word[:1] in "+-" and "e" in word and not word.startswith("--"):
                change("errexit")
            if word[:1] in "+-" and word.endswith("o") and words[at + 1 : at + 2] in (["pipefail"], ["errexit"]):
                change(words[at + 1])


def _is_write(redirect: Node) -> bool:
    """Say whether a redirection of the standard output names a file."""
    descriptor = redirect.child_by_field_name("descriptor")
    return (descriptor is None or descriptor.text == b"1") and any(
        child.type in _WRITING and not (child.type == ">&" and redirect.named_children[-1].type == "number") for child in redirect.children
    )


def _script_of(words: Sequence[str]) -> str:
    """The command line that a shell is given as an argument: that of `bash -lc 'cd a && make test'`; "" for none."""
    if words[0].rpartition("/")[2] not in _SHELLS:
        return ""
    at = next((at for at, word in enumerate(words[1:-1], 1) if _GIVES_SCRIPT.fullmatch(word)), 0)
    return words[at + 1] if at else ""


def _bare(words: list[str]) -> tuple[list[str], str]:
    """The words without wrappers and assignments in front, and the folder of `git -C folder status`, which becomes `git status`."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in _WRAPPERS:
            at += 1
            while at < len(words) and words[at].startswith("-"):
                at += 1
            at += _WRAPPERS[word]
        elif word in _CONTROL or (word.partition("=")[0].isidentifier() and "=" in word):
            at += 1
        else:
            break
    kept = [word for word in words[at:] if word]
    folder = ""
    if kept[:1] == ["git"]:
        while len(kept) > 2 and kept[1].startswith("-"):
            if kept[1] == "-C":
                folder = kept[2]
            del kept[1 : 3 if kept[1] in ("-C", "-c") else 2]
    return kept, folder
