"""Test runs: what passed is noise, what failed is evidence, and the output of a passed test belongs to the noise.

pytest, unittest, go test (plain, -v, -json), cargo test, jest, vitest, mocha, playwright, node's runner, TAP, rspec, minitest,
PHPUnit, JUnit by maven, gradle and dotnet, and coverage tables below them. Failures themselves are found by `evidence`.
"""

from __future__ import annotations

import re

import msgspec

from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import KEY, LineScores

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


def score(lines: Lines, scores: LineScores) -> None:
    """Say which lines report what passed."""
    plain = lines.plain
    head = next((plain[at] for at in lines.near if plain[at]), "")
    if head.startswith("{") and '"Action":' in head:
        _score_events(lines, scores)
        return
    failed = {found[1] for at in lines.having(("--- FAIL: ",)) if (found := _GO_FAILED.match(plain[at][:LINE_CHARS_MAX]))}
    test = ""  # whose output the lines are, while that is known
    is_below_verdict = False
    for at in lines.near:
        line = plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.2
            continue
        heading = _OUTPUT_HEAD.match(line) if line.lstrip().startswith(("=== ", "--- ")) else None
        if heading:
            test = heading[1] or heading[3]
            is_below_verdict = bool(heading[2])
            if not _has_failed(test, failed):
                scores.drop(at, "lines of passed tests")
            elif not heading[2]:
                scores.keep(at, at + 1, "output of a failed test")
            continue
        if _PASSED.match(line):
            test = ""
            scores.drop(at, "passed tests" if "ok" not in line[:2] or "\t" not in line else "packages that passed")
        elif _GO_ENDS.match(line):
            test = ""
        elif test:
            if _has_failed(test, failed):
                scores.keep(at, at + 1, "output of a failed test") if not _is_flood(lines, scores, at) else scores.raise_to(at, KEY, "")
            elif line[0].isspace() or not is_below_verdict:
                scores.drop(at, "lines of passed tests")
        elif _COVERAGE_ROW.match(line) or _COVERAGE_ROW_PYTHON.match(line):
            if line.startswith(("All files", "TOTAL")):
                scores.raise_to(at, KEY, "summary")
            else:
                scores.utility[at], scores.noise[at] = 0.0, "rows of coverage"


def _has_failed(test: str, failed: set[str]) -> bool:
    return test in failed or any(name.startswith(f"{test}/") or test.startswith(f"{name}/") for name in failed)


def _is_flood(lines: Lines, scores: LineScores, at: int, run_max: int = 60) -> bool:
    """So many lines of one failed test stay already that this one would be its log, unless it names a place in a test."""
    if at < run_max or "_test.go:" in lines.plain[at][:200]:
        return False
    return all(scores.must[at - back] for back in range(1, run_max, 7))


class _Event(msgspec.Struct):
    action: str = msgspec.field(name="Action", default="")
    package: str = msgspec.field(name="Package", default="")
    test: str = msgspec.field(name="Test", default="")
    output: str = msgspec.field(name="Output", default="")


def _score_events(lines: Lines, scores: LineScores) -> None:
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
        scores.quoted[at] = 1
        if key in failed and (event.action in ("fail", "build-output") or (event.action == "output" and event.test)):
            told[key] = told.get(key, 0) + 1
            is_telling = told[key] <= 60 or ".go:" in event.output or "--- FAIL" in event.output
            scores.keep(at, at + 1, "a failed test", grade=2 if event.action == "fail" else 1) if is_telling else scores.raise_to(
                at, KEY, ""
            )
        elif event.action == "build-output" or event.output.startswith(("FAIL", "panic:")):
            scores.keep(at, at + 1, "a failed test")
        elif not event.test and event.output:
            scores.utility[at] = 0.5
        else:
            scores.drop(at, "events of passed tests")


TEST_RUN = OutputKind(
    name="test run",
    rank=1,
    matches=FORMS.match,
    share_min=0.2,
    score=score,
    programs=(
        "pytest py.test unittest nose2 tox nox jest vitest mocha ava playwright cypress karma rspec minitest phpunit pest "
        "ctest prove bats behave cucumber gotestsum nextest go:test cargo:test cargo:nextest npm:test pnpm:test yarn:test "
        "bun:test mvn:test gradle:test gradlew:test dotnet:test swift:test mix:test rake:test make:test deno:test "
        "flutter:test bazel:test"
    ),
    budget=(3000, 0.15),
    return_chance=0.23,
    is_numbered=True,
)
