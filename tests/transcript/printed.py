"""What programs print: one long output of each kind, made here, with the lines that a reader of a failure needs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Printed:
    """`kept` are whole lines that must be shown, `removed` are pieces of lines that need not."""

    name: str
    kind: str
    command: str
    text: str
    kept: tuple[str, ...]
    gone: tuple[str, ...] = field(default=())


def _many(line: str, count: int = 150) -> list[str]:
    return [line.format(n=number, m=number % 7, h=f"{number * 7919:06x}") for number in range(count)]


def _text(*parts: str | list[str]) -> str:
    return "\n".join(line for part in parts for line in ([part] if isinstance(part, str) else part)) + "\n"


def _sandwich(passed: str, failure: str, end: str, count: int = 120) -> tuple[str, tuple[str, ...]]:
    """A failure between passed tests, and the last words."""
    half = _many(passed, count)
    return _text(half, failure.strip("\n"), [line.replace("0", "9") for line in half], end.strip("\n")), ()


PYTEST_FAILURE = """
=================================== FAILURES ===================================
____________________________ test_total_is_rounded _____________________________

    def test_total_is_rounded():
        ledger = Ledger([1.005, 2.005])
>       assert ledger.total() == 3.01
E       assert 3.0 == 3.01
E        +  where 3.0 = total()

tests/test_ledger.py:41: AssertionError
=========================== short test summary info ============================
FAILED tests/test_ledger.py::test_total_is_rounded - assert 3.0 == 3.01
================== 1 failed, 150 passed, 2 skipped in 12.31s ===================
"""
GO_FAILURE = """
=== RUN   TestCommit/empty
    commit_test.go:88: commit on empty tree: got exit 1, want 0
        stderr: fatal: not a tree
=== RUN   TestCommit
--- FAIL: TestCommit (0.03s)
    --- FAIL: TestCommit/empty (0.01s)
"""
CARGO_FAILURE = """
---- parser::tests::rejects_empty stdout ----
thread 'parser::tests::rejects_empty' panicked at src/parser.rs:212:9:
assertion `left == right` failed
  left: Ok(())
 right: Err(Empty)
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace


failures:
    parser::tests::rejects_empty

test result: FAILED. 299 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.41s

error: test failed, to rerun pass `--lib`
"""
JEST_FAILURE = """
FAIL src/cart/total.test.ts
  ● cart › total › adds tax

    expect(received).toBe(expected) // Object.is equality

    Expected: 119
    Received: 100

      12 |   it("adds tax", () => {
    > 13 |     expect(total(cart)).toBe(119)
         |                         ^
      14 |   })

      at Object.<anonymous> (src/cart/total.test.ts:13:25)

"""
VITEST_FAILURE = """
 FAIL  src/cart/total.test.ts > cart > adds tax
AssertionError: expected 100 to be 119 // Object.is equality

- Expected
+ Received

- 119
+ 100

 ❯ src/cart/total.test.ts:13:25
     11|   const cart = make()
     12|   it("adds tax", () => {
     13|     expect(total(cart)).toBe(119)
       |                         ^
⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/1]⎯
"""
MOCHA_FAILURE = """
  149 passing (2s)
  1 failing

  1) Ledger
       rounds half up:

      AssertionError: expected 3 to equal 3.01
      + expected - actual

      -3
      +3.01

      at Context.<anonymous> (test/ledger.js:41:29)
"""
UNITTEST_FAILURE = """
======================================================================
FAIL: test_total (tests.test_ledger.LedgerTest.test_total)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/w/tests/test_ledger.py", line 41, in test_total
    self.assertEqual(ledger.total(), 3.01)
AssertionError: 3.0 != 3.01

----------------------------------------------------------------------
Ran 160 tests in 1.203s

FAILED (failures=1)
"""
MAVEN_FAILURE = """
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.05 s <<< FAILURE! -- in org.acme.LedgerTest
[ERROR] org.acme.LedgerTest.roundsHalfUp -- Time elapsed: 0.01 s <<< FAILURE!
org.opentest4j.AssertionFailedError: expected: <3.01> but was: <3.0>
	at org.junit.jupiter.api.AssertionUtils.fail(AssertionUtils.java:55)
	at org.acme.LedgerTest.roundsHalfUp(LedgerTest.java:41)

[ERROR] Failures:
[ERROR]   LedgerTest.roundsHalfUp:41 expected: <3.01> but was: <3.0>
[ERROR] Tests run: 160, Failures: 1, Errors: 0, Skipped: 0
[INFO] BUILD FAILURE
"""
GRADLE_FAILURE = """
LedgerTest > roundsHalfUp() FAILED
    org.opentest4j.AssertionFailedError: expected: <3.01> but was: <3.0>
        at app//org.acme.LedgerTest.roundsHalfUp(LedgerTest.java:41)

160 tests completed, 1 failed
FAILURE: Build failed with an exception.
BUILD FAILED in 12s
"""
RSPEC_FAILURE = """
Failures:

  1) Ledger rounds half up
     Failure/Error: expect(ledger.total).to eq(3.01)

       expected: 3.01
            got: 3.0

       (compared using ==)
     # ./spec/ledger_spec.rb:41:in `block (2 levels) in <top (required)>'

Finished in 0.9 seconds (files took 0.2 seconds to load)
160 examples, 1 failure

Failed examples:

rspec ./spec/ledger_spec.rb:40 # Ledger rounds half up
"""
PHPUNIT_FAILURE = """
There was 1 failure:

1) LedgerTest::testRoundsHalfUp
Failed asserting that 3.0 matches expected 3.01.

/w/tests/LedgerTest.php:41

FAILURES!
Tests: 160, Assertions: 160, Failures: 1.
"""
TAP_FAILURE = """
not ok 81 - rounds half up
  ---
  operator: equal
  expected: 3.01
  actual:   3.0
  at: Test.<anonymous> (/w/test/ledger.js:41:5)
  ...
"""
TRACE_PYTHON = """
Traceback (most recent call last):
  File "/w/app/main.py", line 12, in <module>
    run()
  File "/w/app/run.py", line 40, in run
    client.fetch(url)
  File "/w/.venv/lib/python3.11/site-packages/client/api.py", line 88, in fetch
    return self._send(request)
  File "/w/.venv/lib/python3.11/site-packages/client/api.py", line 140, in _send
    raise ConnectError(url)
client.errors.ConnectError: https://example.org refused
"""
TRACE_NODE = """
/w/src/server.js:31
    throw new RangeError(`port ${port}`)
    ^

RangeError: port 99999
    at listen (/w/src/server.js:31:11)
    at Module._compile (node:internal/modules/cjs/loader:1364:14)
    at node:internal/main/run_main_module:28:49

Node.js v20.11.0
"""
TRACE_JAVA = """
Exception in thread "main" java.lang.IllegalStateException: no ledger
	at org.acme.Ledger.open(Ledger.java:31)
	at org.acme.Main.main(Main.java:12)
Caused by: java.io.FileNotFoundException: ledger.db (No such file or directory)
	at java.base/java.io.FileInputStream.open0(Native Method)
	at org.acme.Store.read(Store.java:77)
	... 2 more
"""
TRACE_GO = """
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.total(...)
	/w/cmd/ledger/main.go:31
main.main()
	/w/cmd/ledger/main.go:12 +0x1d
exit status 2
"""
TRACE_RUST = """
thread 'main' panicked at src/ledger.rs:31:10:
called `Result::unwrap()` on an `Err` value: Empty
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90c541806f23a127002de5b4038be731ba1458ca/library/std/src/panicking.rs:578:5
   3: ledger::open
             at ./src/ledger.rs:31:10
"""
TRACE_RUBY = """
ledger.rb:31:in `total': undefined method `sum' for nil:NilClass (NoMethodError)
	from ledger.rb:40:in `report'
	from main.rb:3:in `<main>'
"""
TRACE_CSHARP = """
Unhandled exception. System.InvalidOperationException: no ledger
   at Acme.Ledger.Open(String path) in /w/src/Ledger.cs:line 31
   at Acme.Program.Main(String[] args) in /w/src/Program.cs:line 12
"""


def _test_run(name: str, command: str, passed: str, failure: str, end: str = "", gone: str = "") -> Printed:
    text, _ = _sandwich(passed, failure, end)
    kept = tuple(line for line in (failure + end).split("\n") if line.strip())
    return Printed(name, "test run", command, text, kept, (gone or passed.partition("{")[0].strip(),))


def _trace(name: str, trace: str) -> Printed:
    """A traceback within the chatter of a program."""
    chatter = _many("step {n} took {m}.{m} seconds on worker {h}")
    kept = tuple(line for line in trace.split("\n") if line.strip())
    return Printed(f"{name} traceback", "unknown", "./run", _text(chatter, trace.strip("\n"), chatter), kept)


def _checked(name: str, command: str, noise: str, failure: str, end: str = "") -> Printed:
    kept = tuple(line for line in (failure + end).split("\n") if line.strip())
    return Printed(
        name,
        "compiler or linter",
        command,
        _text(_many(noise, 120), failure.strip("\n"), _many(noise, 120), *([end.strip("\n")] if end else [])),
        kept,
    )


PRINTED: tuple[Printed, ...] = (
    _test_run("pytest -v", "pytest -v", "tests/test_part_{m}.py::test_number_{n} PASSED                 [ {m}%]", PYTEST_FAILURE),
    _test_run("pytest", "python -m pytest", "tests/test_part_{n}.py ..............                           [ {m}%]", PYTEST_FAILURE),
    _test_run("unittest", "python -m unittest -v", "test_number_{n} (tests.test_part.PartTest.test_number_{n}) ... ok", UNITTEST_FAILURE),
    _test_run(
        "go test -v", "go test -v ./...", "--- PASS: TestNumber{n} (0.0{m}s)", GO_FAILURE, "FAIL\nFAIL\tacme.org/ledger\t0.2s\nFAIL\n"
    ),
    _test_run("cargo test", "cargo test", "test parser::tests::number_{n} ... ok", CARGO_FAILURE),
    _test_run("jest", "npx jest", "    ✓ does number {n} ({m} ms)", JEST_FAILURE, "Tests:       1 failed, 160 passed, 161 total\n"),
    _test_run("vitest", "npx vitest run", "   ✓ does number {n} {m}ms", VITEST_FAILURE, " Test Files  1 failed | 12 passed (13)\n"),
    _test_run("mocha", "npm test", "    ✔ does number {n} ({m}ms)", MOCHA_FAILURE),
    _test_run(
        "maven",
        "mvn test",
        "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.0{m} s -- in org.acme.Part{n}Test",
        MAVEN_FAILURE,
    ),
    _test_run("gradle", "./gradlew test", "PartTest > number{n}() PASSED", GRADLE_FAILURE),
    _test_run("rspec", "bundle exec rspec", ".....................................................................", RSPEC_FAILURE),
    _test_run(
        "phpunit",
        "vendor/bin/phpunit",
        "............................................................... {n} / 160 ( {m}%)",
        PHPUNIT_FAILURE,
    ),
    _test_run("tap", "node --test", "ok {n} - does number {n}", TAP_FAILURE, "1..160\n# tests 160\n# pass 159\n# fail 1\n"),
    *(
        _trace(name, trace)
        for name, trace in (
            ("python", TRACE_PYTHON),
            ("node", TRACE_NODE),
            ("java", TRACE_JAVA),
            ("go", TRACE_GO),
            ("rust", TRACE_RUST),
            ("ruby", TRACE_RUBY),
            ("c#", TRACE_CSHARP),
        )
    ),
    _checked(
        "tsc",
        "npx tsc --noEmit",
        "src/part{n}.ts({n},{m}): warning TS6133: 'x{n}' is declared but never used.",
        "src/cart.ts(13,25): error TS2345: Argument of type 'string' is not assignable to parameter of type 'number'.\n",
    ),
    _checked(
        "gcc",
        "make",
        "[ {m}%] Building C object part{n}.o",
        "src/ledger.c:31:12: error: 'total' undeclared (first use in this function)\n   31 |     return total;\n      |            ^~~~~\n",
        "make: *** [Makefile:12: ledger] Error 1\n",
    ),
    _checked(
        "cargo",
        "cargo build",
        "   Compiling part-{n} v1.{m}.0",
        "error[E0308]: mismatched types\n  --> src/ledger.rs:31:12\n   |\n"
        '31 |     total("x")\n   |           ^^^ expected `u32`, found `&str`\n',
        "error: could not compile `ledger` (lib) due to 1 previous error\n",
    ),
    _checked(
        "go build",
        "go build ./...",
        "go: downloading example.org/part{n} v1.{m}.0",
        "# acme.org/ledger\ncmd/ledger/main.go:31:9: undefined: total\n",
    ),
    _checked(
        "javac",
        "mvn compile",
        "[INFO] Compiling part {n}",
        "src/Ledger.java:31: error: cannot find symbol\n    total();\n    ^\n  symbol:   method total()\n",
    ),
    _checked(
        "mypy",
        "mypy src",
        "src/part{n}.py:{n}: note: hidden import {m}",
        'src/ledger.py:31: error: Incompatible return value type (got "str", expected "int")  [return-value]\n',
        "Found 1 error in 1 file (checked 120 source files)\n",
    ),
    _checked(
        "pyright",
        "pyright",
        "  /w/src/part{n}.py:{n}:{m} - warning: Import is unused",
        '  /w/src/ledger.py:31:12 - error: "total" is not defined (reportUndefinedVariable)\n',
        "1 error, 240 warnings, 0 informations\n",
    ),
)

DIFF = _text(
    *(
        _text(
            f"diff --git a/src/part{n}.py b/src/part{n}.py",
            "index 1111111..2222222 100644",
            f"--- a/src/part{n}.py",
            f"+++ b/src/part{n}.py",
            f"@@ -1,40 +1,40 @@ def part{n}():",
            *(f"     context line {line} of part {n}" for line in range(30)),
            *(f"-    old_value_{n}_{line} = {line}" for line in range(10)),
            *(f"+    new_value_{n}_{line} = {line}" for line in range(10)),
        ).rstrip("\n")
        for n in range(14)
    )
)
SEARCH = _text(
    *(f"src/part{n}/module_{n}.py:{line * 10}:    value_{n}_{line} = compute_{n}({line})" for n in range(40) for line in range(12))
)
FIND = _text(*(f"./src/part{n}/module_{n}_{file}.py" for n in range(30) for file in range(20)))
LOG = _text(
    _many("2026-01-02 10:00:{m}0,123 INFO worker.pool job {n} done in {m} ms"),
    "2026-01-02 10:01:00,001 ERROR worker.pool job 77 failed: disk full",
    "2026-01-02 10:01:00,002 WARN worker.pool retrying once",
    _many("2026-01-02 10:02:{m}0,123 INFO worker.pool job {n} done in {m} ms"),
)
PIP = _text(
    _many("Collecting part-{n}>=1.{m}"),
    _many("  Downloading part_{n}-1.{m}.0-py3-none-any.whl (12 kB)"),
    "WARNING: part-3 1.0 has a bug",
    "ERROR: Cannot install part-9 and part-10 because these package versions have conflicting dependencies.",
    "Successfully installed part-1-1.0 part-2-1.0",
)
DATA = (
    json.dumps(
        {
            "items": [{"id": n, "name": f"item {n}", "tags": ["a", "b"], "size": n * 3} for n in range(150)],
            "total": 150,
            "error": "page 3 is missing",
        },
        indent=2,
    )
    + "\n"
)
GO_EVENTS = _text(
    *(
        json.dumps({"Time": "2026-01-02T10:00:00Z", "Action": action, "Package": "acme", "Test": f"TestNumber{n}"}, separators=(",", ":"))
        for n in range(80)
        for action in ("run", "pass")
    ),
    '{"Time":"2026-01-02T10:00:00Z","Action":"output","Package":"acme","Test":"TestCommit",'
    '"Output":"    commit_test.go:88: got 1, want 0\\n"}',
    '{"Time":"2026-01-02T10:00:00Z","Action":"fail","Package":"acme","Test":"TestCommit","Elapsed":0.03}',
    *(
        json.dumps({"Time": "2026-01-02T10:00:00Z", "Action": "pass", "Package": "acme", "Test": f"TestLater{n}"}, separators=(",", ":"))
        for n in range(80)
    ),
)
GIT_LOG = _text(*(f"{n * 7919:07x} part {n}: says what commit {n} changes for the reader of part {n}" for n in range(1, 200)))
CODE = _text(
    "import os",
    "",
    *(
        line
        for n in range(120)
        for line in (
            f"def function_{n}(value):",
            f"    result_{n} = compute_{n}(value)",
            "    if result_0:",
            f"        return os.path.join(result_{n}, value)",
            "",
        )
    ),
)
NUMBERED = "".join(f"{number:6}→{line}\n" for number, line in enumerate(CODE.split("\n"), 1))

EVERYTHING: dict[str, tuple[str, str, str]] = {
    **{printed.name: (printed.kind, printed.command, printed.text) for printed in PRINTED},
    "diff": ("diff", "git diff", DIFF),
    "search": ("search", "rg -n compute", SEARCH),
    "find": ("listing", "find . -name '*.py'", FIND),
    "log": ("log", "tail -500 worker.log", LOG),
    "pip": ("package manager", "pip install -r requirements.txt", PIP),
    "json": ("json", "gh api repos/acme/ledger", DATA),
    "go test -json": ("test run", "go test -json ./...", GO_EVENTS),
    "git log": ("git", "git log --oneline", GIT_LOG),
    "cat": ("read", "cat src/part.py", CODE),
    "numbered": ("read", "", NUMBERED),
}
