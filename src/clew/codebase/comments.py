"""Find the comments that document a definition, and strip their comment marks."""

from __future__ import annotations

import re
from bisect import bisect_left

from clew.codebase.languages.description import SourceFile, dedent_docstring

_BLOCK = re.compile(r"^/\*+!?|(?<!\*)\*+/$")
_STAR = re.compile(r"^[ \t]*\*+(?!/)[ \t]?", re.MULTILINE)
_DOC_TAG = re.compile(r"</?(?:summary|remarks|returns|param|typeparam|para|exception|value|example|code|inheritdoc)\b[^>]*>")
_LEGAL = re.compile(r"copyright|licen[cs]e|spdx|all rights reserved", re.IGNORECASE)
_TOOL = re.compile(r"#!|.*-\*-.*coding|.*\b(?:eslint|prettier|jshint|clang-format|rubocop|frozen_string_literal|pragma|@ts-|NOLINT)\b")


class CommentIndex:
    """Sorted spans of one file's comments and attributes, searched for those right above a definition or at the file's top."""

    def __init__(self, source: SourceFile, comments: list[tuple[int, int]], leads: list[tuple[int, int]]) -> None:
        self._data = data = source.data
        self._line_mark = re.compile(rf"^[ \t]*(?:{source.language.comment_mark})[ \t]?", re.MULTILINE)
        merged = sorted([(start, end, True) for start, end in comments] + [(start, end, False) for start, end in leads])
        # Some grammars end a line's comment behind the line: what follows must be measured from its last character.
        self._spans = [(start, start + len(data[start:end].rstrip()), is_comment) for start, end, is_comment in merged]
        self._starts = [start for start, _, _ in self._spans]

    def find_above(self, start: int) -> tuple[int, list[tuple[int, int]]]:
        """Return the offset where the comments and attributes right above `start` begin (`start` if none), and the comments' spans.

        "Right above" allows no blank line, and nothing else on a comment's first line.
        """
        data, spans = self._data, self._spans
        found: list[tuple[int, int]] = []
        index = bisect_left(self._starts, start) - 1
        while index >= 0:
            first, last, is_comment = spans[index]
            between = data[last:start]
            if last > start or between.strip() or between.count(b"\n") > 1:
                break
            if is_comment and data[data.rfind(b"\n", 0, first) + 1 : first].strip():
                break
            if is_comment:
                found.append((first, last))
            start = first
            index -= 1
        found.reverse()
        return start, found

    def find_file_comment(self, taken: int) -> str:
        """Return the text of the file's first comment that is no licence and no tool directive, "" if none stands before offset `taken`."""
        end, group = 0, list[tuple[int, int]]()
        for first, last, is_comment in self._spans:
            if not is_comment or first >= taken or self._data[end:first].strip():
                break
            if group and self._data.count(b"\n", end, first) > 1:
                text = self._own_words(group)
                if text:
                    return text
                group = []
            group.append((first, last))
            end = last
        return self._own_words(group)

    def _own_words(self, group: list[tuple[int, int]]) -> str:
        text = self.clean_text(group)
        return "" if _LEGAL.search(text) else text

    def clean_text(self, spans: list[tuple[int, int]]) -> str:
        """Return the text of the comments at these spans, without marks, common indentation and tool directives such as `eslint`."""
        parts: list[str] = []
        for start, end in spans:
            text = self._data[start:end].decode("utf-8", "replace")
            if _TOOL.match(text):
                continue
            if text.startswith("/*"):
                text = dedent_docstring(_STAR.sub("", "\n" + _BLOCK.sub("", text)))
            elif text.startswith("=begin"):
                text = text.removeprefix("=begin").removesuffix("=end").strip()
            else:
                text = _DOC_TAG.sub("", self._line_mark.sub("", text))
            if text.strip() or parts:
                parts.append(text.rstrip())
        return "\n".join(parts).strip()
