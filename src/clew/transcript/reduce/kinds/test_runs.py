"""Test runs: passed tests and their output are noise; failures are found by `evidence`.

pytest, unittest, go test (plain, -v, -json), cargo test, jest, vitest, mocha, playwright, node's runner, TAP, rspec, minitest,
PHPUnit, JUnit by maven, gradle and dotnet, and coverage tables below them.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import KEY_UTILITY, NAME_GRADE, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
_PASSED = _PATTERNS["passed"]
_STARTED = _PATTERNS["started"]
_ENDED = _PATTERNS["ended"]
UNFINISHED_MAX = 20  # guess: of more tests without an end the output was cut, or its runner says nothing of ends
_OUTPUT_HEAD = re.compile(r"^(?:=== (?:RUN|CONT|NAME) {1,3}(\S{1,400})|\s{0,16}--- (PASS|FAIL|SKIP): (\S{1,400}))")
_GO_FAILED = re.compile(r"^\s{0,16}--- FAIL: (\S{1,400})")
_GO_ENDS = re.compile(r"^(?:PASS$|FAIL\b|ok {1,2}\t|\?  {0,4}\t|exit status|panic: |goroutine \d)")
_COVERAGE_ROW = re.compile(r"^[\w./ @-]{1,200}\|(?: {1,12}[\d.]{1,6} {0,12}\|){2,6}")
_COVERAGE_ROW_PYTHON = re.compile(r"^[\w./-]{1,200} {1,80}\d{1,6} {1,12}\d{1,6} {1,12}(?:\d{1,6} {1,12}\d{1,6} {1,12})?\d{1,3}%")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of a test run: passed tests and their output as noise, the output of failed ones required."""
    plain = lines.plain
    head = next((plain[at] for at in lines.scanned if plain[at]), "")
    if head.startswith("{") and '"Action":' in head:
        _score_events(lines, scores)
        return
    failed = {found[1] for at in lines.find_lines_with(("--- FAIL: ",)) if (found := _GO_FAILED.match(plain[at][:LINE_CHARS_MAX]))}
    test = ""  # whose output the lines are, while that is known
    is_below_verdict = False
    for at in lines.scanned:
        line = plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.2
            continue
        heading = _OUTPUT_HEAD.match(line) if line.lstrip().startswith(("=== ", "--- ")) else None
        if heading:
            test = heading[1] or heading[3]
            is_below_verdict = bool(heading[2])
            if not _has_failed(test, failed):
                scores.mark_noise(at, "lines of passed tests")
            elif not heading[2]:
                scores.require(at, at + 1, "output of a failed test")
            continue
        if _PASSED.match(line):
            test = ""
            scores.mark_noise(at, "passed tests" if "ok" not in line[:2] or "\t" not in line else "packages that passed")
        elif _GO_ENDS.match(line):
            test = ""
        elif test:
            if _has_failed(test, failed):
                scores.require(at, at + 1, "output of a failed test") if not _is_flood(lines, scores, at) else scores.raise_utility(
                    at, KEY_UTILITY, ""
                )
            elif line[0].isspace() or not is_below_verdict:
                scores.mark_noise(at, "lines of passed tests")
        elif _COVERAGE_ROW.match(line) or _COVERAGE_ROW_PYTHON.match(line):
            if line.startswith(("All files", "TOTAL")):
                scores.raise_utility(at, KEY_UTILITY, "summary")
            else:
                scores.utility[at], scores.noise[at] = 0.0, "rows of coverage"
    _mark_unfinished(lines, scores)


def _mark_unfinished(lines: OutputLines, scores: LineScores) -> None:
    """Require the names of tests that began and have no end: one of them hung, or died."""
    started: dict[str, int] = {}
    for at in lines.scanned:
        line = lines.plain[at][:LINE_CHARS_MAX]
        if found := _ENDED.match(line):
            started.pop(found[found.lastindex or 0], None)
        elif found := _STARTED.match(line):
            started[found[found.lastindex or 0].rstrip()] = at
    for at in started.values() if len(started) <= UNFINISHED_MAX else ():
        scores.noise[at] = ""
        scores.require(at, at + 1, "a test without an end", grade=NAME_GRADE)


def _has_failed(test: str, failed: set[str]) -> bool:
    return test in failed or any(name.startswith(f"{test}/") or test.startswith(f"{name}/") for name in failed)


def _is_flood(lines: OutputLines, scores: LineScores, at: int, run_max: int = 60) -> bool:
    """So many lines of one failed test stay already that this one would be its log, unless it names a place in a test."""
    if at < run_max or "_test.go:" in lines.plain[at][:200]:
        return False
    return all(scores.required[at - back] for back in range(1, run_max, 7))


class _Event(msgspec.Struct):
    action: str = msgspec.field(name="Action", default="")
    package: str = msgspec.field(name="Package", default="")
    test: str = msgspec.field(name="Test", default="")
    output: str = msgspec.field(name="Output", default="")


def _score_events(lines: OutputLines, scores: LineScores) -> None:
    """Events of `go test -json`, one a line. What belongs to a failed test, or to a package that failed to build, stays."""
    events: dict[int, _Event] = {}
    for at in range(len(lines)):
        line = lines.raw[at]
        if line.startswith("{"):
            try:
                events[at] = msgspec.json.decode(line, type=_Event)
            except (msgspec.DecodeError, RecursionError):
                continue  # a line that is no event is read like any other
    failed = {(event.package, event.test) for event in events.values() if event.action == "fail"}
    shown: dict[tuple[str, str], int] = {}
    for at, event in events.items():
        key = (event.package, event.test)
        scores.quoted[at] = 1
        if key in failed and (event.action in ("fail", "build-output") or (event.action == "output" and event.test)):
            shown[key] = shown.get(key, 0) + 1
            is_telling = shown[key] <= 60 or ".go:" in event.output or "--- FAIL" in event.output
            scores.require(at, at + 1, "a failed test", grade=2 if event.action == "fail" else 1) if is_telling else scores.raise_utility(
                at, KEY_UTILITY, ""
            )
        elif event.action == "build-output" or event.output.startswith(("FAIL", "panic:")):
            scores.require(at, at + 1, "a failed test")
        elif not event.test and event.output:
            scores.utility[at] = 0.5
        else:
            scores.mark_noise(at, "events of passed tests")


TEST_RUN = load_output_kind(__file__, score_lines)
