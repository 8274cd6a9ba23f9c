"""Recognise what kind of output a text is, from its lines, with the command as a hint.

A command may print anything, and one output may hold several kinds. So a hint lowers the share of lines that must match
a kind, and never decides alone, except where the lines could be anything: a file that is shown, a report in prose.
A wrong answer costs room, no failure: `evidence` works for every kind.
"""

from __future__ import annotations

from clew.records import SimpleCommand, ToolKind
from clew.task.commands import FILTERS, analyse_command, find_read_files
from clew.task.runners.formats import find_runner
from clew.transcript.reduce import kinds
from clew.transcript.reduce.kinds.data import JSON
from clew.transcript.reduce.kinds.diffs import DIFF
from clew.transcript.reduce.kinds.git import GIT
from clew.transcript.reduce.kinds.listings import LISTING
from clew.transcript.reduce.kinds.logs import LOG
from clew.transcript.reduce.kinds.reads import READ, REPORT
from clew.transcript.reduce.kinds.searches import SEARCH
from clew.transcript.reduce.kinds.test_runs import TEST_RUN
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.reduction import OutputContext

HINTED_SHARE_MIN = 0.12  # of the sampled lines, where the command says so too; guess
CONTEXT_LINES_MIN = 15  # lines around a hit from which on a search is a way of reading; guess
# A file of one of these is no source: what it holds is recognised by its lines.
_RECORDED = (
    *(".log", ".out", ".txt", ".jsonl", ".ndjson", ".output", ".err", ".stderr", ".stdout", ".tap", ".trace", ".csv", ".lock"),
    *("-lock.json", "-lock.yaml", "go.sum", ".map", ".min.js", ".min.css"),
)

kinds.load_kinds()


def recognise_kind(lines: OutputLines, context: OutputContext) -> OutputKind:
    """Return the kind of these lines, `UNKNOWN` when no other matches. Cost: about 0.5 ms."""
    if context.kind in (ToolKind.AGENT, ToolKind.FETCH, ToolKind.PLAN, ToolKind.QUESTION, ToolKind.TODO):
        return REPORT
    shown = [context.path] if context.kind is ToolKind.READ and context.path else []
    hints: set[OutputKind] = set()
    is_tool = False
    if context.command:
        files, hints = _hints(context.command)
        is_tool = any(simple.words and find_runner(simple.words) for simple in analyse_command(context.command).commands)
        shown = shown or files
    if shown and not all(path.lower().endswith(_RECORDED) for path in shown):
        return READ
    if context.kind is ToolKind.SEARCH:
        hints |= {SEARCH, LISTING}
    shares = _shares(lines)
    if is_tool:
        shares = {kind: 0.0 if kind in (READ, REPORT) else share for kind, share in shares.items()}
    return _chosen(shares, hints, lines)


def _chosen(shares: dict[OutputKind, float], hints: set[OutputKind], lines: OutputLines) -> OutputKind:
    def reaches(kind: OutputKind) -> bool:
        return shares[kind] >= kind.share_min

    if reaches(JSON) and not reaches(TEST_RUN) and not reaches(LOG):
        return JSON
    is_diff = reaches(DIFF) or DIFF in hints or (shares[DIFF] >= HINTED_SHARE_MIN and lines.find_lines_with(("diff --git a/",), 1))
    if is_diff and lines.find_lines_with(("@@ -",), 1):
        return GIT if GIT in hints and DIFF not in hints else DIFF
    hinted = [kind for kind in shares if kind in hints and shares[kind] >= HINTED_SHARE_MIN]
    if hinted:
        return max(hinted, key=lambda kind: shares[kind])
    # Almost every line of a search could be a line of something else that begins with a word and a colon.
    return next(kind for kind in shares if reaches(kind) and not (kind is SEARCH and shares[LOG] >= 0.2))


def _shares(lines: OutputLines) -> dict[OutputKind, float]:
    """Return, by kind in order of rank, the share of the sampled lines that look like it."""
    sample = lines.sample_lines()
    return {kind: sum(kind.matches(line) is not None for line in sample) / max(1, len(sample)) for kind in kinds.KINDS.values()}


def _hints(command: str) -> tuple[list[str], set[OutputKind]]:
    """The files that a command line shows, if it does nothing else, and the kinds of its programs."""
    meant = analyse_command(command)
    telling = [
        simple
        for simple in meant.commands
        if not (simple.reads_pipe and simple.words[0] in FILTERS)
        and simple.words[0] not in ("cd", "echo", "printf", "pwd", "export", "set", "sleep", "wc")
    ]
    files: list[str] = []
    hints: set[OutputKind] = set()
    are_shown = bool(telling)
    for simple in telling:
        paths = find_read_files(simple) or _widely_shown(simple)
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
        if max(around, default=0) >= CONTEXT_LINES_MIN
        and len(named) == 2
        and not any("r" in word.lower() for word in words if word[:1] == "-" and word[:2] != "--")
        else ()
    )


def _kind_of(simple: SimpleCommand) -> OutputKind | None:
    words = [word.rpartition("/")[2] for word in simple.words if not word.startswith("-")]
    for at, word in enumerate(words[:4]):
        for later in words[at + 1 : at + 4]:
            if kind := kinds.PROGRAMS.get(f"{word}:{later.partition(':')[0]}"):
                return kind
        if ":" not in word and (kind := kinds.PROGRAMS.get(word)):
            return kind
    return None
