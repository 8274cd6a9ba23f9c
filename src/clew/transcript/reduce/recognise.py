"""Recognising: what an output is, from its own lines, with the command as a hint.

A command may print anything, and one output may hold several kinds. So a hint lowers the share of lines that must look
like a kind, and never decides alone, except where the lines could be anything: a file that is shown, a report in prose.
A wrong answer costs room, no failure: `evidence` does not ask for the kind.
"""

from __future__ import annotations

from clew.records import SimpleCommand, ToolKind
from clew.task.commands import FILTERS, files_read, understand
from clew.transcript.reduce import (
    compilers,
    data,
    diffs,
    git,
    listings,
    logs,
    packages,
    reads,
    searches,
    test_runs,
    traces,
)
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.nouns import Given, Kind
from clew.transcript.reduce.programs import PROGRAMS, SUBCOMMANDS

SHARE_HINTED = 0.12  # of the sampled lines, where the command says so too; guess
# Without a hint. A test run's, a trace's and a diff's lines are unmistakable, those of a listing are not. Guesses.
SHARES: dict[Kind, float] = {
    Kind.TEST: 0.2,
    Kind.DIFF: 0.4,
    Kind.COMPILER: 0.3,
    Kind.PACKAGES: 0.3,
    Kind.GIT: 0.4,
    Kind.TRACE: 0.3,
    Kind.LOG: 0.4,
    Kind.JSON: 0.7,
    Kind.SEARCH: 0.8,
    Kind.LISTING: 0.7,
    Kind.READ: 0.6,
    Kind.REPORT: 0.55,
}
AROUND_MIN = 15  # lines around a hit from which on a search is a way of reading; guess
# A file of one of these is no source: what it holds is recognised by its lines.
_RECORDED = (
    ".log",
    ".out",
    ".txt",
    ".jsonl",
    ".ndjson",
    ".output",
    ".err",
    ".stderr",
    ".stdout",
    ".tap",
    ".trace",
    ".csv",
    ".lock",
    "-lock.json",
    "-lock.yaml",
    "go.sum",
    ".map",
    ".min.js",
    ".min.css",
)

_FORMS = {
    Kind.TEST: test_runs.FORMS.match,
    Kind.DIFF: diffs.FORMS.match,
    Kind.COMPILER: compilers.FORMS.match,
    Kind.PACKAGES: packages.FORMS.match,
    Kind.GIT: git.FORMS.match,
    Kind.TRACE: traces.is_frame,
    Kind.LOG: logs.FORMS.match,
    Kind.JSON: data.FORMS.match,
    Kind.SEARCH: searches.FORMS.match,
    Kind.LISTING: listings.FORMS.match,
    Kind.READ: reads.FORMS.match,
    Kind.REPORT: reads.PROSE.match,
}


def recognise(lines: Lines, given: Given) -> Kind:
    """Return what these lines are. Cost: about 0.5 ms."""
    if given.kind in (ToolKind.AGENT, ToolKind.FETCH, ToolKind.PLAN, ToolKind.QUESTION, ToolKind.TODO):
        return Kind.REPORT
    shown = [given.path] if given.kind is ToolKind.READ and given.path else []
    hints: set[Kind] = set()
    if given.command:
        files, hints = _hints(given.command)
        shown = shown or files
    if shown and not all(path.lower().endswith(_RECORDED) for path in shown):
        return Kind.READ
    if given.kind is ToolKind.SEARCH:
        hints |= {Kind.SEARCH, Kind.LISTING}
    shares = _shares(lines)
    return _chosen(shares, hints, lines)


def _chosen(shares: dict[Kind, float], hints: set[Kind], lines: Lines) -> Kind:
    if shares[Kind.JSON] >= SHARES[Kind.JSON] and shares[Kind.TEST] < SHARES[Kind.TEST] and shares[Kind.LOG] < SHARES[Kind.LOG]:
        return Kind.JSON
    is_diff = (
        shares[Kind.DIFF] >= SHARES[Kind.DIFF]
        or Kind.DIFF in hints
        or (shares[Kind.DIFF] >= SHARE_HINTED and lines.having(("diff --git a/",), 1))
    )
    if is_diff and lines.having(("@@ -",), 1):
        return Kind.GIT if Kind.GIT in hints and Kind.DIFF not in hints else Kind.DIFF
    hinted = [kind for kind in SHARES if kind in hints and shares[kind] >= SHARE_HINTED]
    if hinted:
        return max(hinted, key=lambda kind: shares[kind])
    for kind, least in SHARES.items():
        # Almost every line of a search could be a line of something else that begins with a word and a colon.
        if shares[kind] >= least and not (kind is Kind.SEARCH and shares[Kind.LOG] >= 0.2):
            return kind
    return Kind.UNKNOWN


def _shares(lines: Lines) -> dict[Kind, float]:
    sample = lines.sample()
    return {
        kind: sum(match(line) is not None and match(line) is not False for line in sample) / max(1, len(sample))
        for kind, match in _FORMS.items()
    }


def _hints(command: str) -> tuple[list[str], set[Kind]]:
    """The files that a command line shows, if it does nothing else, and the kinds of its programs."""
    meant = understand(command)
    telling = [
        simple
        for simple in meant.commands
        if not (simple.reads_pipe and simple.words[0] in FILTERS)
        and simple.words[0] not in ("cd", "echo", "printf", "pwd", "export", "set", "sleep", "wc")
    ]
    files: list[str] = []
    hints: set[Kind] = set()
    are_shown = bool(telling)
    for simple in telling:
        paths = files_read(simple) or _widely_shown(simple)
        files.extend(paths)
        are_shown = are_shown and bool(paths)
        if kind := _kind_of(simple):
            hints.add(kind)
    if meant.shown and not files:
        files, are_shown = [meant.shown.path], True
    return (files if are_shown else []), hints


def _widely_shown(simple: SimpleCommand) -> tuple[str, ...]:
    """The one file of which a search shows many lines around each hit: that is how a function is read."""
    words = simple.words
    if words[0] not in ("grep", "rg", "egrep") or not any(word.startswith(("-A", "-B", "-C")) for word in words):
        return ()
    around = [
        int(digits)
        for word, later in zip(words, (*words[1:], ""), strict=True)
        if word[:2] in ("-A", "-B", "-C") and (digits := word[2:] or later).isdecimal()
    ]
    named = [word for word in words[1:] if not word.startswith("-") and not word.isdecimal()]
    return (
        (named[-1],)
        if max(around, default=0) >= AROUND_MIN
        and len(named) == 2
        and not any("r" in word.lower() for word in words if word[:1] == "-" and word[:2] != "--")
        else ()
    )


def _kind_of(simple: SimpleCommand) -> Kind | None:
    words = [word.rpartition("/")[2] for word in simple.words if not word.startswith("-")]
    for at, word in enumerate(words[:4]):
        for later in words[at + 1 : at + 4]:
            if kind := SUBCOMMANDS.get(f"{word}:{later.partition(':')[0]}"):
                return kind
        if kind := PROGRAMS.get(word):
            return kind
    return None
