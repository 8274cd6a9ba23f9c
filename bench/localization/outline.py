"""Outline: where functions begin and end in languages that Python's `ast` does not read, by braces and indents alone.

A reader for the rival arms, independent of clew's parsers and of any grammar: comments and literals are blanked, then
each `{` is judged by the words in front of it; Ruby goes by `def` and the `end` of the same indent. It needs to cut
files where a person would, not to be right about every file: `bench/LOG.md` says how often its cuts are those of the rows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_C, _JAVA, _RUST, _GO, _SCRIPT, _RUBY = "c", "java", "rust", "go", "script", "ruby"
LANGUAGES = {
    **dict.fromkeys((".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".m", ".y", ".l"), _C),
    **dict.fromkeys((".java", ".cs", ".kt", ".kts", ".scala", ".swift", ".php", ".groovy", ".dart"), _JAVA),
    ".rs": _RUST,
    ".go": _GO,
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"), _SCRIPT),
    **dict.fromkeys((".rb", ".rake", ".gemspec"), _RUBY),
}

_QUOTED = r'"(?:\\.|[^"\\\n])*"'
_CHAR = r"'(?:\\.[^'\n]*|[^'\\\n])'"  # one character: a lone quote is a lifetime in Rust
_COMMENT = r"//[^\n]*|/\*.*?\*/"
_DIRECTIVE = r"^[ \t]*\#(?:\\\n|[^\n])*"
_LITERALS = {
    _C: rf'R"(\w*)\(.*?\)\1"|{_COMMENT}|{_DIRECTIVE}|{_QUOTED}|{_CHAR}',
    _JAVA: rf'""".*?"""|{_COMMENT}|{_QUOTED}|{_CHAR}',
    _RUST: rf'r(\#+)".*?"\1|{_COMMENT}|"(?:\\.|[^"\\])*"|{_CHAR}',
    _GO: rf"`[^`]*`|{_COMMENT}|{_QUOTED}|{_CHAR}",
    _SCRIPT: rf"`(?:\\.|[^`\\])*`|{_COMMENT}|{_QUOTED}|'(?:\\.|[^'\\\n])*'"
    r"|(?<=[(,=:\[!&|?;{}])[ \t]*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/",
}
_MASKS = {name: re.compile(pattern, re.DOTALL | re.MULTILINE) for name, pattern in _LITERALS.items()}

_TYPES = re.compile(
    r"\b(?:class|struct|enum|union|interface|trait|impl|namespace|module|mod|object|extension|extern|record)\b(?:\s+([\w:.]+))?"
)
_CONTROL = re.compile(
    r"^(?:else|do|try|finally|loop|unsafe|synchronized|static|init|get|set)\b\s*$"
    r"|^(?:\}?\s*else\s+)?(?:if|for|foreach|while|switch|catch|match|with|using|lock|return|throw|case|select|defer|go|guard|when|until)\b"
)
_NAMES = {
    _RUST: re.compile(r"\bfn\s+(\w+)"),
    _GO: re.compile(r"\bfunc\s*(?:\([^)]*\)\s*)?(\w+)\s*(?:\[[^\]]*\])?\("),
    _SCRIPT: re.compile(
        r"\bfunction\b\s*\*?\s*(\w+)\s*(?:<[^{]*>)?\("  # function name(
        r"|([\w$.]+)\s*[=:]\s*(?:async\s+)?(?:function\b[^{]*|(?:\([^{]*\)|[\w$]+)\s*(?::[^{=]*)?=>\s*)$"  # name = (…) =>, name: function
        r"|^(?:(?:export|default|public|private|protected|static|async|override|readonly|abstract|get|set)\s+|\*\s*|[,;]\s*)*"
        r"([\w$]+|\[[^\]]*\])\s*(?:<[^{(]*>)?\([^{]*\)\s*(?::[^{]*)?$"  # a method
    ),
    _JAVA: re.compile(
        r"(?:\bfun\s+(?:<[^>]*>\s*)?(?:[\w.<>?]+\.)?|\bfunction\s+&?|\bfunc\s+|\bdef\s+|^|[\s>\]*&])(\w+)\s*(?:<[^(){}]*>)?\([^{};]*\)[^(){};=]*$"
    ),
    _C: re.compile(r"(~?\w+|operator\s*[^\s\w]{1,3}|operator\s*\(\))\s*\("),
}
_RUBY_HEAD = re.compile(
    r"^([ \t]*)(?:(?:private|protected|public|module_function|memoize)\s+)?(def|class|module)\s+(?:self\.)?([\w:.<=>!?+\-*/%\[\]~^&|]+)"
)
_RUBY_ONE_LINE = re.compile(r"\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*=\s")  # def name(a) = value
_ANNOTATION = re.compile(
    r"@[\w.]+(?:\((?:[^()]|\([^()]*\))*\))?|\#!?\[[^\]]*\]|\b(?:__attribute__|alignas|FMT_\w+|decltype|noexcept|throw)\s*\((?:[^()]|\([^()]*\))*\)"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A function or a class: its lines from 1, both included, and its name with those around it."""

    start: int
    end: int
    kind: str
    qualname: str


def outline(path: str, lines: Sequence[str]) -> tuple[Block, ...] | None:
    """Return functions and classes in order of lines, or None for a language that this module does not know.

    A function inside a named function belongs to the outer one.
    """
    dot = path.rfind(".")
    language = LANGUAGES.get(path[dot:].lower()) if dot >= 0 else None
    if language is None:
        return None
    found = _ruby(lines) if language == _RUBY else _braces(language, "\n".join(lines))
    return tuple(sorted(found, key=lambda block: (block.start, -block.end)))


def _ruby(lines: Sequence[str]) -> Iterator[Block]:
    open_blocks: list[tuple[str, str, str, int]] = []  # indent, kind, qualified name, first line
    for number, line in enumerate(lines, start=1):
        head = _RUBY_HEAD.match(line)
        is_inside = any(kind == "function" for _, kind, _, _ in open_blocks)
        if head and not is_inside:
            indent, word, name = head.groups()
            outer = open_blocks[-1][2] + ("." if open_blocks else "") if open_blocks else ""
            kind = "function" if word == "def" else "class"
            if re.search(r"[;\s]end\s*$", line) or (word == "def" and _RUBY_ONE_LINE.match(line[head.end() :])):
                yield Block(number, number, kind, outer + name)  # all of it on one line
            else:
                open_blocks.append((indent, kind, outer + name, number))
            continue
        closing = re.match(r"([ \t]*)end\b", line)
        if closing and open_blocks and any(indent == closing[1] for indent, *_ in open_blocks):
            while open_blocks:
                indent, kind, name, start = open_blocks.pop()
                yield Block(start, number, kind, name)
                if indent == closing[1]:
                    break


def _braces(language: str, text: str) -> list[Block]:
    masked = _MASKS[language].sub(_blank, text)
    blocks, is_balanced = _matched(language, masked, is_margin_trusted=False)
    # An #if with two heads for one body leaves a brace open; then the margin says where a function ends.
    return blocks if is_balanced else _matched(language, masked, is_margin_trusted=True)[0]


def _matched(language: str, masked: str, *, is_margin_trusted: bool) -> tuple[list[Block], bool]:
    """Return the blocks of a text without comments and literals, and whether every brace found its other half."""
    starts = [0, *(at + 1 for at, letter in enumerate(masked) if letter == "\n")]
    stack: list[tuple[str, str, int]] = []  # kind ("" for any other block), qualified name, first line
    blocks: list[Block] = []
    head, depth = 0, 0  # where the words in front of the next brace begin; how many round brackets are open
    for match in re.finditer(r"[{}();]", masked):
        at, sign = match.start(), match[0]
        if sign in "()":
            depth = max(0, depth + (1 if sign == "(" else -1))
            continue
        if sign == ";" and depth:
            continue  # for (a; b; c)
        if sign == "{":
            outer = next((name for kind, name, _ in reversed(stack) if kind), "")
            is_inside = any(kind == "function" for kind, _, _ in stack)
            words = masked[head:at]
            kind, name = ("", "") if is_inside else _judged(language, words)
            first = head + len(words) - len(words.lstrip())
            stack.append((kind, f"{outer}.{name}" if outer and name else name, bisect_right(starts, first)))
        elif sign == "}" and stack:
            line, last = bisect_right(starts, at), len(stack) - 1
            if is_margin_trusted and starts[line - 1] == at:
                functions = (n for n, (kind, _, start) in enumerate(stack) if kind == "function" and _is_margin(masked, starts, start))
                last = next(functions, last)
            kind, name, start = stack[last]
            del stack[last:]
            if kind:
                blocks.append(Block(start, line, kind, name))
        head, depth = at + 1, 0
    blocks += [Block(start, len(starts), kind, name) for kind, name, start in stack if kind == "class"]
    return blocks, not stack


def _is_margin(text: str, starts: Sequence[int], line: int) -> bool:
    """Say whether a line begins without an indent."""
    return not text[starts[line - 1] : starts[line - 1] + 1].isspace()


def _judged(language: str, head: str) -> tuple[str, str]:
    """Return what a `{` opens, "function" or "class" or "", and its name, by the words in front of it."""
    words = " ".join(_ANNOTATION.sub(" ", head).split())
    if not words or _CONTROL.match(words):
        return "", ""
    types = _TYPES.search(words)
    function = _NAMES[language].search(words)
    if language == _C:
        return _judged_c(words, types)
    if language in {_RUST, _GO}:
        if function:
            return "function", function[1]
        return ("class", types[1] or "") if types or (language == _GO and words.startswith("type ")) else ("", "")
    if types and not (function and language == _SCRIPT and words.startswith(("function", "export function", "async function"))):
        return "class", types[1] or ""
    if function and not re.search(r"\bnew\s+[\w.<>]+\s*\([^{]*$", words):
        name = next((group for group in function.groups() if group), "")
        return ("", "") if name in {"if", "for", "while", "switch", "catch", "function", "return"} else ("function", name)
    return "", ""


def _judged_c(words: str, types: re.Match[str] | None) -> tuple[str, str]:
    plain = re.sub(r"\btemplate\s*<(?:[^<>]|<[^<>]*>)*>", " ", words).strip()
    function = _NAMES[_C].search(plain)
    if (
        function
        and "=" not in plain[: function.start()].replace("==", "").replace("operator=", "")
        and not plain.startswith(("namespace", "extern {"))
    ):
        is_type = types is not None and re.match(r"^(?:typedef\s+|static\s+|const\s+)*(?:class|struct|union|enum)\b[^(]*[:{]?$", plain)
        return ("", "") if is_type or function[1] in {"if", "for", "while", "switch", "return", "sizeof"} else ("function", function[1])
    return ("class", types[1] or "") if types and "=" not in plain else ("", "")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])
