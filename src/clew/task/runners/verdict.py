"""Read the verdict of a check off its output: passed, failed, or not seen, with the line that says so.

The summary of a known tool decides, as far as the command shows it: behind `head`, `tail` or `grep` a line counts only if what was
left out cannot change it. The exit status counts where it is the check's own. Everything else is not seen. Runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.records import SimpleCommand, Verdict
from clew.task.commands import FILTERS, PREPARATIONS, CommandAnalysis, parse_check_scope
from clew.task.runners.formats import (
    LineCondition,
    LineMeaning,
    MatchedLine,
    Runner,
    find_literals,
    find_runner,
    load_runners,
    match_command,
)
from clew.task.truncation import parse_truncation_notice
from clew.text.patterns import PatternFile

HEAD_CHARS, TAIL_CHARS = 20_000, 60_000  # verdicts stand at an output's ends; what lies between repeats them
TRIMMED_LINES = 2  # blank ones that a client may have taken off an output; guess
SHORT_LINE = "BUILD FAILED"  # a shorter line names nothing that failed
TELLING_CHARS_MAX = 160  # of several lines that say failed, the longest up to this length is shown; guess
BLOCK_LINES = 8  # lines of one summary stand at most so far apart; guess

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?:]{0,32}[ -/]?[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[()][0AB]|[=>78])")
_MESSAGES = PatternFile(Path(__file__).with_name("shell.toml"))
_LONG_LINE = re.compile(r"^[^\n]{2000,}", re.MULTILINE)  # holds data, and no pattern may take long over it
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f", " "))
_FILTERS = FILTERS | frozenset(("ag", "perl"))
_SEARCHES = frozenset(("grep", "egrep", "rg", "ag"))
_KEEPING = frozenset(("cat", "tee", "less", "more", "nl", "fold", "column", "tr"))  # filters that drop no line
_INVERTS = re.compile(r"-[a-zA-Z]*v[a-zA-Z]*")


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """How a check ended: the line of its output that says so, and the tool that printed it; both "" where the status alone says it."""

    value: Verdict
    evidence: str = ""
    runner: str = ""

    @property
    def has_failed(self) -> bool | None:
        """Say whether it failed; None where its verdict was not seen."""
        return None if self.value is Verdict.NOT_SEEN else self.value is Verdict.FAILED


NOT_SEEN = CheckVerdict(Verdict.NOT_SEEN)


@dataclass(frozen=True, slots=True)
class _Shown:
    """How much of what a check printed is shown.

    has_end      its end, of which a filter may have dropped lines that say nothing of failures.
    is_plain     no filter dropped single lines.
    is_whole     all of it.
    after        the line behind which nothing is missing.
    """

    has_end: bool
    is_plain: bool
    is_whole: bool
    after: int = -1


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one tool's lines say of a run: the verdict, the line that decides, and how many runs passed.

    is_summary  the line sums a run up; else it is one of many that only a failed run prints.
    """

    value: Verdict
    hit: MatchedLine
    runner: Runner
    passes: int = 0
    is_summary: bool = True

    @property
    def verdict(self) -> CheckVerdict:
        return CheckVerdict(self.value, self.hit.evidence, self.runner.name)


@dataclass(frozen=True, slots=True)
class _Run:
    """A command line that has ended.

    text       what is shown of its output.
    exit_code  its status, None where it is unknown.
    gap        line of the text at which something is missing, -1 for none.
    tools      the tool that each of its checks runs, without checks that a later one runs again.
    """

    command: CommandAnalysis
    text: str
    exit_code: int | None
    gap: int
    tools: Mapping[SimpleCommand, Runner | None]


def read_verdict(command: CommandAnalysis, output: str, exit_code: int | None = None) -> CheckVerdict:
    """Return how the checks of a command line ended, all together.

    output     what the client showed of it; a preview of a longer output says nothing.
    exit_code  status of the whole line, as the client recorded it; any number but 0 for a failure without one, None where it is unknown.
    Returns    failed where one of them failed, passed where all passed, else not seen.
    Cost       1 ms for 10 kB.
    """
    cut = parse_truncation_notice(output)
    text = "" if cut and cut.is_preview else plain(output)
    gap = _gap(text, cut.notice if cut else "", is_cut=len(output) > HEAD_CHARS + TAIL_CHARS)
    checks = list(dict.fromkeys(command.checks))
    tools = {check: find_runner(check.words) for at, check in enumerate(checks) if not _is_run_again(check, checks[at + 1 :])}
    run = _Run(command, text, exit_code, gap, tools)
    verdicts = [_verdict_of(run, check) for check in tools]
    for verdict in verdicts:
        if verdict.value is Verdict.FAILED:
            return verdict
    if verdicts and all(verdict.value is Verdict.PASSED for verdict in verdicts):
        return next((verdict for verdict in reversed(verdicts) if verdict.runner), verdicts[-1])
    return next((verdict for verdict in verdicts if verdict.value is Verdict.NOT_SEEN and verdict.evidence), NOT_SEEN)


def plain(text: str) -> str:
    """Return a text without escape sequences, carriage returns and overlong lines, at most its two ends."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = text.translate(_SPACES) if not text.isascii() else text
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return _LONG_LINE.sub("…", text)


def _gap(text: str, notice: str, *, is_cut: bool) -> int:
    """The line at which something is missing in the middle, -1 for nowhere."""
    at = max(text.find(notice) if notice else -1, HEAD_CHARS if is_cut else -1)
    return text.count("\n", 0, at) if at >= 0 else -1


def _is_run_again(check: SimpleCommand, later: Sequence[SimpleCommand]) -> bool:
    """Say whether a later check of the same line runs everything that this one ran."""
    return any(parse_check_scope(other).covers(parse_check_scope(check)) for other in later)


def _verdict_of(run: _Run, check: SimpleCommand) -> CheckVerdict:
    """The verdict of one check of a line."""
    tool = run.tools[check]
    is_named = tool is not None and not tool.hides
    shown = _shown(run, check)
    readings = _readings(run, check, shown)
    best = _best(readings, shown, is_named=is_named)
    echoed = _echoed_status(run, check)
    status = echoed[0] if echoed else run.exit_code if not check.is_status_lost else None
    if status == 0:
        if tool and tool.lists_faults and best and best.value is Verdict.FAILED:
            return best.verdict
        last = max(readings, key=lambda reading: reading.hit.line, default=None)
        if last and last.is_summary and last.value is not Verdict.PASSED and (last.runner.is_test or len(run.command.checks) == 1):
            return last.verdict
        return best.verdict if best and best.value is Verdict.PASSED else CheckVerdict(Verdict.PASSED, echoed[1] if echoed else "")
    if best and best.value is Verdict.FAILED:
        return best.verdict
    if died := _crash(run.text, best):
        return CheckVerdict(Verdict.FAILED, died)
    missing = _missing(check, run.text, is_named=is_named) if status is not None or best is None or best.value is not Verdict.PASSED else ""
    if missing:
        return CheckVerdict(Verdict.FAILED, missing)
    if echoed:
        return CheckVerdict(Verdict.FAILED, echoed[1])
    if status is not None:
        return _by_status(run, check, status, best)
    if best is None:
        return _uncaught(run.text, shown)
    alike = sum(other is not check and other.is_status_lost and run.tools[other] is tool for other in run.tools)
    return NOT_SEEN if best.value is Verdict.PASSED and sum(reading.passes for reading in readings) <= alike else best.verdict


def _by_status(run: _Run, check: SimpleCommand, status: int, best: _Reading | None) -> CheckVerdict:
    """The verdict of a check whose line ended with a status other than 0, while its output does not say that it failed."""
    tool = run.tools[check]
    if tool and (meaning := dict(tool.exits).get(status)):
        return CheckVerdict(Verdict.NOT_SEEN, best.hit.evidence if best else meaning, tool.name)
    commands = run.command.commands
    behind = [other for other in commands[commands.index(check) + 1 :] if not other.is_status_lost and not other.is_substituted]
    filters = [other for other in behind if other.reads_pipe]
    is_ambiguous = any(
        not other.reads_pipe and other.program not in PREPARATIONS and other not in run.command.checks for other in behind
    ) or (bool(filters) and filters[-1].program in _SEARCHES)
    has_passed = best is not None and best.value is Verdict.PASSED
    if best and has_passed and (is_ambiguous or any(other is not check and not other.is_status_lost for other in run.command.checks)):
        return best.verdict
    return NOT_SEEN if is_ambiguous else CheckVerdict(Verdict.FAILED)


def _readings(run: _Run, check: SimpleCommand, shown: _Shown) -> list[_Reading]:
    """What the lines of each tool say that a check may have run."""
    tool = run.tools[check]
    if tool and not tool.hides:
        readings = _read([tool], run.text, shown, is_named=True, is_repeated=check.is_repeated)
        launcher = match_command(check.words[:1])
        if launcher and launcher.hides and all(reading.value is Verdict.NOT_SEEN for reading in readings):
            readings += _read([launcher], run.text, shown, is_named=True)
        return readings
    named = [other for other in run.tools.values() if other and not other.hides]
    hidden = [other for other in load_runners().values() if not other.needs_command and other not in named]
    prefix = _MESSAGES["prefix"]
    text = "\n".join(prefix.sub("", line) for line in run.text.split("\n"))
    return _read(hidden, text, shown, is_named=False, is_repeated=check.is_repeated)


def _read(tools: Iterable[Runner], text: str, shown: _Shown, *, is_named: bool, is_repeated: bool = False) -> list[_Reading]:
    literals = None if is_named else find_literals(text)
    found = (
        _reading(tool, hits, shown, is_named=is_named, is_repeated=is_repeated) for tool in tools if (hits := tool.hits(text, literals))
    )
    return [reading for reading in found if reading]


def _reading(tool: Runner, hits: list[MatchedLine], shown: _Shown, *, is_named: bool, is_repeated: bool) -> _Reading | None:
    """What the lines of one tool say; None where they say nothing."""
    summaries = [hit for hit in hits if hit.says is not LineMeaning.DETAIL and _holds(hit, shown, is_named=is_named)]
    details = [hit for hit in hits if hit.says is LineMeaning.DETAIL]
    blocks = [summaries] if tool.every or is_repeated else _blocks(summaries)
    if summaries:
        passes = sum(hit.says is LineMeaning.PASSED for hit in (summaries if tool.every else map(_sum_up, blocks)))
        last = _sum_up(blocks[-1])
        if last.says is LineMeaning.PASSED and details and (tool.every or details[-1].line > summaries[-1].line):
            return _Reading(Verdict.FAILED, details[-1], tool, is_summary=False)
        value = {LineMeaning.PASSED: Verdict.PASSED, LineMeaning.FAILED: Verdict.FAILED}.get(last.says, Verdict.NOT_SEEN)
        if value is Verdict.FAILED and details and len(last.evidence) < len(SHORT_LINE):
            last = details[0]
        if value is not Verdict.NOT_SEEN or not details:
            return _Reading(value, last, tool, passes)
    return _Reading(Verdict.FAILED, details[0], tool, is_summary=False) if details and tool.name != "crash" else None


def _holds(hit: MatchedLine, shown: _Shown, *, is_named: bool) -> bool:
    """Say whether a line counts, as far as the output is shown."""
    if hit.says is not LineMeaning.PASSED or hit.holds is LineCondition.ALWAYS:
        return True
    if hit.holds is LineCondition.NAMED:
        return is_named
    if hit.line <= shown.after:
        return False
    return {
        LineCondition.AT_END: shown.has_end,
        LineCondition.UNFILTERED: shown.has_end and shown.is_plain,
        LineCondition.WHOLE: shown.is_whole,
    }[hit.holds]


def _blocks(hits: list[MatchedLine]) -> list[list[MatchedLine]]:
    """Lines of one summary each: near each other, no pattern twice."""
    blocks: list[list[MatchedLine]] = []
    for hit in hits:
        known = blocks[-1] if blocks else []
        if known and hit.line - known[-1].line <= BLOCK_LINES and all(hit.pattern != other.pattern for other in known):
            known.append(hit)
        else:
            blocks.append([hit])
    return blocks


def _sum_up(block: list[MatchedLine]) -> MatchedLine:
    """The line of a summary that decides: the most telling that says failed, else the last that says passed, else that nothing ran."""
    if failed := [hit for hit in block if hit.says is LineMeaning.FAILED]:
        return max(failed, key=lambda hit: (hit.is_counted, len(hit.evidence) if len(hit.evidence) <= TELLING_CHARS_MAX else 0))
    return next((hit for hit in reversed(block) if hit.says is LineMeaning.PASSED), block[0])


def _best(readings: list[_Reading], shown: _Shown, *, is_named: bool) -> _Reading | None:
    """What decides among several tools: a failed summary, details of a failure that nothing passes behind, then what passed."""
    if is_named:
        return readings[0] if readings else None
    passed = [reading for reading in readings if reading.value is Verdict.PASSED and (shown.has_end or reading.runner.is_test)]
    last = max((reading.hit.line for reading in passed if reading.runner.is_test), default=-1)
    failed = [reading for reading in readings if reading.value is Verdict.FAILED and (reading.is_summary or reading.hit.line > last)]
    if failed:
        return min(failed, key=lambda reading: (not reading.is_summary, reading.hit.line))
    if passed:
        return max(passed, key=lambda reading: reading.hit.line)
    return next((reading for reading in readings if reading.value is Verdict.NOT_SEEN), None)


def _shown(run: _Run, check: SimpleCommand) -> _Shown:
    """How much of a check's output the rest of its line lets through."""
    lines = run.text.count("\n") + 1 + TRIMMED_LINES
    has_end, is_plain, is_whole = bool(run.text), True, bool(run.text) and run.gap < 0
    readers = _readers(run.command, run.command.commands.index(check))
    for reader in readers:
        program, words = reader.program, reader.words[1:]
        keeps_end = keeps_all = program in _KEEPING
        if program in ("head", "tail"):
            count = _count(reader)
            keeps_all = count is not None and reader is readers[-1] and lines < count
            keeps_end = program == "tail" or keeps_all
        elif program in _SEARCHES:
            is_plain = False
            is_inverted = any(word == "--invert-match" or _INVERTS.fullmatch(word) for word in words)
            keeps_end = (_MESSAGES["failure_words"].search(" ".join(words)) is None) is is_inverted
        elif program == "sed":
            keeps_end = keeps_all = not any(word.startswith("-n") or word[-1:] in ("d", "q") for word in words)
        has_end, is_whole = has_end and keeps_end, is_whole and keeps_all
    return _Shown(has_end, is_plain, is_whole, run.gap)


def _readers(command: CommandAnalysis, at: int) -> list[SimpleCommand]:
    """The commands that what a check printed went through: those behind its pipe, and those that read a file it was written to."""
    behind = command.commands[at + 1 :]
    readers: list[SimpleCommand] = []
    for other in behind:
        if not other.reads_pipe or other.is_substituted:
            break
        readers.append(other)
    written = [*command.commands[at].writes, *(path for reader in readers for path in reader.writes)]
    written += [path for reader in readers if reader.program == "tee" for path in reader.words[1:]]
    if written:
        is_reading = False
        for other in behind[len(readers) :]:
            is_reading = (other.reads_pipe and is_reading) or (other.program in _FILTERS and any(path in other.words for path in written))
            if is_reading:
                readers.append(other)
    return [reader for reader in readers if not (reader.program == "tee" or reader in command.checks)]


def _count(simple: SimpleCommand) -> int | None:
    """How many lines `head` or `tail` lets through; None where that depends on the file."""
    words = simple.words[1:]
    lines = "10"
    for at, word in enumerate(words):
        if word in ("-n", "--lines") and at + 1 < len(words):
            lines = words[at + 1]
        elif word.startswith("-n") and len(word) > 2:
            lines = word[2:]
        elif word.startswith("--lines="):
            lines = word[8:]
        elif word.startswith("-") and word[1:].isdigit():
            lines = word[1:]
        elif word.startswith(("-c", "--bytes")):
            return None
    return int(lines) if lines.isascii() and lines.isdigit() and len(lines) < 10 else None


def _missing(check: SimpleCommand, text: str, *, is_named: bool) -> str:
    """The line that says that the check's program could not be started, "" for none."""
    names = {word.rpartition("/")[2] for word in check.words} | {"timeout", "gtimeout", "time", "stdbuf", "nohup", "sudo"}
    for found in _MESSAGES["missing"].finditer(text):
        name = next((group for group in found.groups() if group), "").strip("`'\"")
        if not is_named or name.rpartition("/")[2] in names or name.replace("_", "-") in names:
            return found[0].strip()
    found = _MESSAGES["unparsed"].search(text)
    return found[0].strip() if found else ""


def _crash(text: str, best: _Reading | None) -> str:
    """The line that says that a program died, if no summary stands behind it; "" for none."""
    found = list(_MESSAGES["ended"].finditer(text))
    if not found or (best and text.count("\n", 0, found[-1].start()) < best.hit.line):
        return ""
    return found[-1][0].strip()


def _uncaught(text: str, shown: _Shown) -> CheckVerdict:
    """What the language that a tool is written in says of its death, where the end of the output is shown."""
    hits = load_runners()["crash"].hits(text) if shown.has_end else []
    return CheckVerdict(Verdict.FAILED, hits[0].evidence, "crash") if hits else NOT_SEEN


def _echoed_status(run: _Run, check: SimpleCommand) -> tuple[int, str] | None:
    """The check's own status where the line prints it behind it, `; echo "exit: $?"`, and the printed line."""
    commands, text = run.command.commands, run.text
    at = commands.index(check) + 1
    is_piped = at < len(commands) and commands[at].reads_pipe
    while at < len(commands) and commands[at].reads_pipe:
        at += 1
    if at >= len(commands) or commands[at].program not in ("echo", "printf") or check.reads_pipe or check.is_repeated:
        return None
    template = " ".join(word for word in commands[at].words[1:] if not word.startswith("-")).replace("\\n", "")
    found = _MESSAGES["status"].search(template)
    if not found or ("?" in found[0]) is is_piped:
        return None
    before, after = template[: found.start()], template[found.end() :]
    if _MESSAGES["status"].search(after):
        return None
    lines = list(re.finditer(rf"^{re.escape(before)}(\d{{1,3}}){re.escape(after)}[ \t]*$", text, re.MULTILINE))
    return (int(lines[-1][1]), lines[-1][0].strip()) if lines else None
