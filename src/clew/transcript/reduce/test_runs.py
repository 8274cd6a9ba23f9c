"""Test runs: what passed is noise, what failed is evidence, and the output of a passed test belongs to the noise.

pytest, unittest, go test (plain, -v, -json), cargo test, jest, vitest, mocha, playwright, node's runner, TAP, rspec, minitest,
PHPUnit, JUnit by maven, gradle and dotnet, and coverage tables below them. Failures themselves are found by `evidence`.
"""

from __future__ import annotations

import re

import msgspec

from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.marks import KEY, Marks
from clew.transcript.reduce.nouns import Given

FORMS = re.compile(
    r"=+ (?:test session starts|FAILURES|ERRORS|short test summary|\d+ (?:passed|failed)).{0,100}=|\S{1,300}::\S{1,300} (?:PASSED"
    r"|FAILED|SKIPPED|XFAIL|ERROR)"
    r"|\S{1,200}\.py [.FEsxX]{1,200}|\[gw\d|=== (?:RUN|PAUSE|CONT|NAME) |\s{0,16}--- (?:PASS|FAIL|SKIP): |ok {1,2}\t"
    r"|\?  {0,4}\t\S{1,200}\t\[no test|FAIL\t"
    r"|\{\"Time\":\"[^\"]{10,40}\",\"Action\":|test \S{1,300}(?: - should panic)? \.\.\. |test result: |running \d{1,6} tests?$"
    r"|---- \S{1,300} stdout ----|\s{0,40}[✓✔√✕✘✗×↓○] "
    r"|\s{0,4}(?:PASS|FAIL) {1,3}\S{1,300}[./]\w|(?:not )?ok \d{1,7}\b|TAP version|1\.\.\d|\s{0,8}(?:Tests|Test Suites|Test Files"
    r"|Snapshots): {1,8}\d"
    r"|\[(?:INFO|ERROR|WARNING)\] {1,3}(?:Tests run:|Running )|Tests run: \d|\d{1,6} examples?, |[.FEISRW]{20,80} {1,8}\d{1,6} ?/ "
    r"|Ran \d{1,6} tests? in|[.FEsx]{20,}$"
    r"|test\w{0,200} \([\w.]{1,200}\)(?:.{0,200})? \.\.\. |\S.{1,200} > .{1,200} (?:PASSED|FAILED|SKIPPED)$|# (?:tests|pass|fail) \d"
    r"| {2,12}(?:Passed|Failed|Skipped) \S{1,300} \["
    r"|<testcase |<testsuite|\s{1,12}\d{1,5}\) .{1,200}|● .{1,200} › |=== (?:FAIL|SKIP)|\(node:test\)|\s{0,8}(?:passed|failed)\b"
    r"|\d{1,6} (?:passing|failing|pending)|[\w./ @-]{1,200}\|(?: {1,12}[\d.]{1,6} {0,12}\|){2}"
)
_PASSED = re.compile(
    r"^(?:\S{1,400}::\S.{0,300} (?:PASSED|SKIPPED|XFAIL|XPASS)\b|\[gw\d{1,3}\].{0,20} PASSED"
    r"|\S{1,300}\.py [.sxX]{1,200} {0,80}(?:\[ {0,3}\d{1,3}%\])?$"
    r"|\s{0,16}--- (?:PASS|SKIP): |=== (?:RUN|PAUSE|CONT|NAME) |ok {1,2}\t\S|\?  {0,4}\t\S"
    r"|test \S{1,300}(?: - should panic)? \.\.\. (?:ok|ignored)"
    r"|\s{0,40}[✓✔√↓○] |\s{0,4}PASS {1,3}\S|ok \d{1,7}\b|[.sx·]{10,400} {0,80}(?:\[? {0,3}\d{1,3}%\]?|\d{1,6} ?/ ?\d{1,6}.{0,12})?$"
    r"|test\w{0,200} \([\w.]{1,200}\)(?:.{0,200})? \.\.\. (?:ok|skipped)"
    r"|.{1,300} (?:PASSED|SKIPPED)$| {2,12}(?:Passed|Skipped) \S{1,300} \[|\s{0,12}<testcase .{0,900}/>$"
    r"|\[INFO\] Tests run: \d{1,6}, Failures: 0, Errors: 0.{0,80} -- in |\[INFO\] Running )"
)
_OUTPUT_HEAD = re.compile(r"^(?:=== (?:RUN|CONT|NAME) {1,3}(\S{1,400})|\s{0,16}--- (PASS|FAIL|SKIP): (\S{1,400}))")
_GO_FAILED = re.compile(r"^\s{0,16}--- FAIL: (\S{1,400})")
_GO_ENDS = re.compile(r"^(?:PASS$|FAIL\b|ok {1,2}\t|\?  {0,4}\t|exit status|panic: |goroutine \d)")
_COVERAGE_ROW = re.compile(r"^[\w./ @-]{1,200}\|(?: {1,12}[\d.]{1,6} {0,12}\|){2,6}")
_COVERAGE_ROW_PYTHON = re.compile(r"^[\w./-]{1,200} {1,80}\d{1,6} {1,12}\d{1,6} {1,12}(?:\d{1,6} {1,12}\d{1,6} {1,12})?\d{1,3}%")
_CAPTURED = re.compile(r"^-{3,} (?:Captured|generated) ")


def mark(lines: Lines, marks: Marks, given: Given) -> None:  # noqa: ARG001  every kind is asked in one way
    """Say which lines report what passed."""
    plain = lines.plain
    head = next((plain[at] for at in lines.near if plain[at]), "")
    if head.startswith("{") and '"Action":' in head:
        _mark_events(lines, marks)
        return
    failed = {found[1] for at in lines.having(("--- FAIL: ",)) if (found := _GO_FAILED.match(plain[at][:LINE_CHARS_MAX]))}
    test = ""  # whose output the lines are, while that is known
    is_below_verdict = False
    for at in lines.near:
        line = plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            marks.worth[at] = 0.2
            continue
        heading = _OUTPUT_HEAD.match(line) if line.lstrip().startswith(("=== ", "--- ")) else None
        if heading:
            test = heading[1] or heading[3]
            is_below_verdict = bool(heading[2])
            if not _has_failed(test, failed):
                marks.drop(at, "lines of passed tests")
            elif not heading[2]:
                marks.stay(at, at + 1, "output of a failed test")
            continue
        if _PASSED.match(line):
            test = ""
            marks.drop(at, "passed tests" if "ok" not in line[:2] or "\t" not in line else "packages that passed")
        elif _GO_ENDS.match(line):
            test = ""
        elif test:
            if _has_failed(test, failed):
                marks.stay(at, at + 1, "output of a failed test") if not _is_flood(lines, marks, at) else marks.lift(at, KEY, "")
            elif line[0].isspace() or not is_below_verdict:
                marks.drop(at, "lines of passed tests")
        elif _COVERAGE_ROW.match(line) or _COVERAGE_ROW_PYTHON.match(line):
            if line.startswith(("All files", "TOTAL")):
                marks.lift(at, KEY, "summary")
            else:
                marks.worth[at], marks.noise[at] = 0.0, "rows of coverage"


def _has_failed(test: str, failed: set[str]) -> bool:
    return test in failed or any(name.startswith(f"{test}/") or test.startswith(f"{name}/") for name in failed)


def _is_flood(lines: Lines, marks: Marks, at: int, run_max: int = 60) -> bool:
    """So many lines of one failed test stay already that this one would be its log, unless it names a place in a test."""
    if at < run_max or "_test.go:" in lines.plain[at][:200]:
        return False
    return all(marks.must[at - back] for back in range(1, run_max, 7))


class _Event(msgspec.Struct):
    action: str = msgspec.field(name="Action", default="")
    package: str = msgspec.field(name="Package", default="")
    test: str = msgspec.field(name="Test", default="")
    output: str = msgspec.field(name="Output", default="")


def _mark_events(lines: Lines, marks: Marks) -> None:
    """Events of `go test -json`, one a line. What belongs to a failed test, or to a package that failed to build, stays."""
    events: dict[int, _Event] = {}
    for at in range(len(lines)):
        line = lines.raw[at]
        if line.startswith("{"):
            try:
                events[at] = msgspec.json.decode(line, type=_Event)
            except msgspec.DecodeError:
                continue  # a line that is no event is read like any other
    failed = {(event.package, event.test) for event in events.values() if event.action == "fail"}
    told: dict[tuple[str, str], int] = {}
    for at, event in events.items():
        key = (event.package, event.test)
        marks.quoted[at] = 1
        if key in failed and (event.action in ("fail", "build-output") or (event.action == "output" and event.test)):
            told[key] = told.get(key, 0) + 1
            is_telling = told[key] <= 60 or ".go:" in event.output or "--- FAIL" in event.output
            marks.stay(at, at + 1, "a failed test", grade=2 if event.action == "fail" else 1) if is_telling else marks.lift(at, KEY, "")
        elif event.action == "build-output" or event.output.startswith(("FAIL", "panic:")):
            marks.stay(at, at + 1, "a failed test")
        elif not event.test and event.output:
            marks.worth[at] = 0.5
        else:
            marks.drop(at, "events of passed tests")
