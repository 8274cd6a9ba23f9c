"""Replay: a repository's own commits as questions whose answers are known.

A commit's message is the question, and the code of the commit before it that it changed is what should be found. Left out
are merges, sweeps, messages that say nothing, messages that were there before, and commits that change no code but
tests or add new code only. Reads git and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.codebase.languages import LANGUAGES, language_of
from clew.codebase.remember import is_test_path
from clew.enrich import history
from clew.enrich.git import GitFailed, ask

CODE_FILES_MAX = 10  # a commit that changes more is a sweep: its message does not tell which
WORDS_MIN = 3
QUESTION_CHARS_MAX = 4000  # guess: more is a log or a list of merged commits
LINES_MAX = 400  # of one hunk that are looked up
LISTED_MAX = history.COMMITS_MAX  # commits that are looked through

_TRAILER = re.compile(
    r"(?:[A-Z][\w-]*-[Bb]y|Change-Id|git-svn-id|Reviewers?|Differential Revision|PiperOrigin-RevId|Cc|CC)\s*:.*"
    r"|\W*(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|refs?|see|issue|related to|part of)\b[:\s]*(?:\w+/\w+)?(?:#|gh-|https?://)\S+\W*"
    r"|\(?cherry[- ]picked from commit .*"
    r"|[-*]\s*\[[ xX]\].*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\s*\((?:(?:closes |fixes |pr )?(?:#|gh-)\d+[,\s]*)+\)\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_EMPTY = re.compile(
    r"\W*(?:wip|merge|revert|reapply|back out|bump|release|prepare (?:for )?release|update (?:the )?(?:changelog|version|dependenc|lock)"
    r"|version bump|fixup!|squash!|amend!|pre-commit autoupdate|\[pre-commit)\b.*|\W*v?\d+\.\d+\S*\W*",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_SECTION = re.compile(rb"^diff --git ", re.MULTILINE)  # every other line of a section but its head begins with +, -, @ or a backslash
_OLD_NAME = re.compile(rb"^--- a/(.*?)\t?$", re.MULTILINE)
_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A commit as a question.

    parent   the commit whose tree is asked.
    changed  path → ranges of lines of the parent's file, 1-based: (first, last) of lines that changed, or with
             last = first − 1 the place before `first` where lines were put in.
    """

    id: str
    parent: str
    question: str
    changed: dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Replay:
    """The newest commits that can be asked, oldest first, and all that were read, oldest first, for those that come before each."""

    asked: tuple[Asked, ...]
    reads: tuple[history.Read, ...]
    looked_through: int


def replay(root: Path, head: str, count: int) -> Replay:
    """Return the newest `count` commits up to `head` that can be asked. Raises GitFailed."""
    said = ask(root, "rev-list", "--no-merges", "--parents", "--date-order", f"--max-count={LISTED_MAX}", head).decode()
    parents = {words[0]: words[1] for line in said.splitlines() if len(words := line.split()) == 2}
    ids = [line.split()[0] for line in said.splitlines()]
    reads = history.read_commits(root, ids)
    # The oldest that says something asks it: a commit that was picked to another branch could be found by its twin's words.
    first: dict[str, str] = {}
    for commit in reversed(ids):
        if commit in reads:
            first.setdefault(question_of(reads[commit].message), commit)
    asked: list[Asked] = []
    seen = 0
    for commit in ids:
        if len(asked) >= count:
            break
        seen += 1
        read = reads.get(commit)
        if read is None or commit not in parents:
            continue
        question = question_of(read.message)
        code = [path for path in read.commit.files if is_code(path)]
        if not question or first[question] != commit or not 0 < len(code) <= CODE_FILES_MAX:
            continue
        changed = _changed(root, parents[commit], commit, [path for path in code if not is_test_path(path)])
        if changed:
            asked.append(Asked(commit, parents[commit], question, changed))
    known = tuple(reads[commit] for commit in reversed(ids) if commit in reads)
    return Replay(tuple(reversed(asked)), known, seen)


def is_code(path: str) -> bool:
    """The file is in a language that is parsed, as far as its name tells."""
    return language_of(path, b"") in LANGUAGES


def question_of(message: str) -> str:
    """What a commit's author would have asked: the message without trailers, numbers of issues and templates; "" if it says nothing."""
    subject, _, body = _COMMENT.sub("", message).strip().partition("\n")
    subject = _NUMBER.sub("", subject).strip()
    if _EMPTY.fullmatch(subject) or len(_WORD.findall(subject)) < WORDS_MIN:
        return ""
    kept = [line for line in body.splitlines() if not _TRAILER.fullmatch(line.strip())]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return (f"{subject}\n\n{text}" if text else subject)[:QUESTION_CHARS_MAX]


def lines_of(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs of lines that one symbol must hold to be changed: a changed line twice, or the lines around an insertion."""
    for first, last in ranges:
        if last < first:
            yield first - 1, first
        else:
            yield from ((line, line) for line in range(first, min(last, first + LINES_MAX - 1) + 1))


def _changed(root: Path, parent: str, commit: str, paths: Sequence[str]) -> dict[str, tuple[tuple[int, int], ...]]:
    """The ranges of lines that changed in files that were there before; none where git cannot tell."""
    if not paths:
        return {}
    try:
        said = ask(
            root, "--literal-pathspecs", "diff-tree", "-r", "-p", "-U0", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
            "--diff-filter=M", "--src-prefix=a/", "--dst-prefix=b/", parent, commit, "--", *paths,
        )  # fmt: skip
    except GitFailed:  # one commit less: a partial clone lacks the file's bytes
        return {}
    changed: dict[str, tuple[tuple[int, int], ...]] = {}
    for section in _SECTION.split(said)[1:]:
        name = _OLD_NAME.search(section)
        ranges: list[tuple[int, int]] = []
        for hunk in _HUNK.finditer(section):
            start, lines = int(hunk[1]), int(hunk[2]) if hunk[2] is not None else 1
            ranges.append((start, start + lines - 1) if lines else (start + 1, start))
        if name and ranges:
            changed[name[1].decode("utf-8", "surrogateescape")] = tuple(ranges)
    return changed
