"""A check's verdict is read off its output, or it is not seen: never passed where it failed, whatever hides the exit status.

`outputs.txt` holds outputs in the form of each tool that a file describes: `== tool | verdict | command`, then what was printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.records import Verdict
from clew.task.commands import analyse_command
from clew.task.runners.formats import find_runner, load_runners, longest_literal
from clew.task.runners.verdict import CheckVerdict, read_verdict

OUTPUTS = [
    (*head.split(" | "), text.rstrip("\n"))
    for head, _, text in (part.partition("\n") for part in Path(__file__).with_name("outputs.txt").read_text("utf-8")[3:].split("\n== "))
]
WRAPPED = [
    "{}; true", "{} || true", "{} 2>&1 | cat", "{} 2>&1 | tail -60", "timeout 60 {} 2>&1 | tail -n 60", "{} 2>&1 | head -100",
    "{} 2>&1 | tee /tmp/log", "{} > /tmp/log 2>&1; tail -60 /tmp/log", "{} & wait",
]  # fmt: skip
FILTERS = (
    "pass|ok|success|✓", "fail|pass", "[0-9]+ passed", "pass", "ok", "total|tests",
    "error|fail", "0 fail", "succe", "executed|tests", r"\.", "=",
)  # fmt: skip
LOG = "2026-09-01 INFO worker: 3 errors ignored, the FAIL line is kept, 1 failed attempt, build FAILED once, all 9 passed"


def verdict(command: str, output: str, exit_code: int | None = 0) -> CheckVerdict:
    return read_verdict(analyse_command(command), output, exit_code)


@pytest.mark.parametrize(("tool", "said", "command", "text"), OUTPUTS)
def test_what_hides_the_exit_status_hides_no_verdict(tool: str, said: str, command: str, text: str) -> None:
    for wrapped in WRAPPED:
        read = verdict(wrapped.format(command), text)
        assert read.value == said, wrapped
        if said == "passed":
            assert read.evidence
            assert read.evidence in text


def transformed(command: str, text: str) -> Iterator[tuple[str, str]]:
    """The output as it looks behind filters and cuts, each with the command that shows it so."""
    lines = text.split("\n")
    for count in range(1, len(lines) + 1):
        yield f"{command} 2>&1 | tail -{count}", "\n".join(lines[-count:])
        yield f"{command} 2>&1 | head -n {count}", "\n".join(lines[:count])
        yield f"{command} 2>&1 | tail -{count} | head -3", "\n".join(lines[-count:][:3])
        yield f"{command}; true", "\n".join([*lines[:count], "... [4200 characters truncated] ...", *lines[-1:]])
        yield f"{command}; true", "\n".join([*lines[:1], "... [4200 characters truncated] ...", *lines[count:]])
    for pattern in FILTERS:
        yield f"{command} 2>&1 | grep -iE '{pattern}'", "\n".join(line for line in lines if re.search(pattern, line, re.IGNORECASE))
        yield f"{command} 2>&1 | grep -viE '{pattern}'", "\n".join(line for line in lines if not re.search(pattern, line, re.IGNORECASE))
    yield f"{command} 2>&1 | cut -c1-20", "\n".join(line[:20] for line in lines)


@pytest.mark.parametrize(("tool", "said", "command", "text"), OUTPUTS)
def test_no_cut_and_no_filter_turns_a_verdict_around(tool: str, said: str, command: str, text: str) -> None:
    """What is left of an output may hold no verdict; it never holds another one."""
    for shown, left in transformed(command, text):
        assert verdict(shown, left).value in (said, Verdict.NOT_SEEN), (shown, left)


@pytest.mark.parametrize(("tool", "said", "command", "text"), OUTPUTS)
def test_colours_line_ends_and_logs_change_nothing(tool: str, said: str, command: str, text: str) -> None:
    coloured = "".join(f"\x1b[1;32m{line}\x1b[0m\n" for line in text.split("\n"))
    assert verdict(f"{command}; true", coloured).value == said
    assert verdict(f"{command}; true", text.replace("\n", "\r\n")).value == said
    assert verdict(f"{command}; true", f"{LOG}\n{text}\n\n{LOG}\n").value == said


def test_each_tool_has_an_output_for_each_verdict_that_it_prints() -> None:
    shown = {(tool, said) for tool, said, _, _ in OUTPUTS}
    for name, tool in load_runners().items():
        says = {pattern.says.value for pattern in tool.patterns}
        assert (name, "failed") in shown, name
        assert "passed" not in says or (name, "passed") in shown, name


def test_there_are_enough_tools() -> None:
    assert len(load_runners()) >= 100


def test_a_quick_look_for_a_pattern_s_words_loses_no_line() -> None:
    for tool in load_runners().values():
        for pattern in tool.patterns:
            for _, _, _, text in OUTPUTS:
                found = [match[0] for match in pattern.compiled.finditer(text)]
                assert [match[0] for match in pattern.matches(text)] == found


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        (r"BUILD SUCCESSFUL in .*", "BUILD SUCCESSFUL in "),
        (r"(?:a|b)cde?f", "cd"),
        (r"a|b", ""),
        (r"\[ERROR\] [a\]b]x{2}yz", "[ERROR] "),
        (r"(x)\1", ""),
    ],
)
def test_the_words_that_a_pattern_cannot_do_without(pattern: str, literal: str) -> None:
    assert longest_literal(pattern) == literal


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        ("npx -y jest src", "jest"),
        ("uv run --frozen python -m pytest -q", "pytest"),
        (".venv/bin/python3.12 -m pytest", "pytest"),
        ("docker compose exec app pytest -q", "pytest"),
        ("./gradlew :app:test", "gradle"),
        ("cargo +nightly test --workspace", "cargo_test"),
        ("pnpm vitest run", "vitest"),
        ("yarn jest", "jest"),
        ("npm run jest", "npm"),
        ("npm test", "npm"),
        ("vendor/bin/phpunit tests", "phpunit"),
        ("php artisan test", "phpunit"),
        ("node_modules/.bin/tsc --noEmit", "tsc"),
        ("ruff.exe check", "ruff_check"),
        ("bash run.sh", None),
        ("python", None),
    ],
)
def test_the_tool_that_a_command_runs_is_known_through_launchers(command: str, tool: str | None) -> None:
    found = find_runner(command.split())
    assert (found.name if found else None) == tool


UNKNOWN = [
    "", "boom", "core dumped", "it broke", "exit 3", "Abbruch: Datei nicht gefunden", "テストに失敗しました", "échec de la compilation",
    "los tests no pasaron", "3 of 4 suites are red", "result: RED", "oops", "status=1", "ran 40, bad 2", "not good: 2", "stack overflow",
    "no fixture named db", "cannot open display", "out of memory", "0 tests survived", "PASSED 3 FAILED 2", "Tests passed: 3, failed: 2",
    "tests: 3 ok, 2 nok", "SUCCESS RATE 60%", "green: 3 red: 2", "ok 3 / 5", "[PASS] a\n[PSS] b", "unexpected token", "deadline exceeded",
    "rejected by policy", "expected 4 but was 3", "3/5 checks succeeded", "all good except b", "passed: most", "1 problem remains",
    "validation did not pass", "coverage dropped", "thresholds not reached", "aborting", "see log for what went wrong",
    '{"success": false}',
]  # fmt: skip
BENIGN = [
    "2026-09-01 login passed for user 7", "ok", "OK", "everything ok so far", "user check passed", "healthcheck: ok", "build ok?",
    "INFO all checks passed for tenant 3 (cached)", "Success! cache warmed", "12 passed the review", "test passed", "done", "✓ connected",
    "[INFO] 41 passed, 0 failed in the last release", "0 errors so far", "no issues", "compiled successfully yesterday",
    "1 passing thought",
]  # fmt: skip


@pytest.mark.parametrize(
    "command", ["pytest -q 2>&1 | tail -3", "npm test 2>&1 | tail -5", "make check; true", "./scripts/check.sh | cat", "npx tsc | head"]
)
def test_an_unknown_output_behind_a_pipe_is_no_pass(command: str) -> None:
    for text in (*UNKNOWN, *BENIGN):
        if not (text == "ok" and "make" in command):
            assert verdict(command, text).value is not Verdict.PASSED, text


@pytest.mark.parametrize(
    "command",
    ["npx tsc --noEmit", "ruff check -q .", "go vet ./...", "go build ./...", "gofmt -l .", "shellcheck run.sh", "npx eslint .",
     "flake8 src",
     "isort --check .", "cargo fmt --check", "npx stylelint a.css", "yamllint .", "hadolint Dockerfile", "golangci-lint run"],
)  # fmt: skip
def test_silence_is_a_pass_only_where_the_status_is_the_tool_s_own(command: str) -> None:
    assert verdict(command, "").value is Verdict.PASSED
    assert verdict(f"cd web && {command} 2>&1", "").value is Verdict.PASSED
    assert verdict(f"set -o pipefail; {command} | tail -3", "").value is Verdict.PASSED
    assert verdict(f"set -euo pipefail; {command} | tail -3; echo done", "done").value is Verdict.PASSED
    assert verdict(f"{command} || exit 1", "").value is Verdict.PASSED
    assert verdict(f"{command} | tail -3", "").value is Verdict.NOT_SEEN
    assert verdict(f"{command}; true", "").value is Verdict.NOT_SEEN
    assert verdict(f"{command} || true", "").value is Verdict.NOT_SEEN
    assert verdict(f"{command} &", "").value is Verdict.NOT_SEEN
    assert verdict(command, "", None).value is Verdict.NOT_SEEN
    assert verdict(command, "", 1).value is Verdict.FAILED


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("pytest -q | tail -3", "bash: pytest: command not found"),
        ("pytest -q | tail -3", "zsh: command not found: pytest"),
        ("timeout 60 pytest -q | tail -3", "(eval):1: command not found: timeout"),
        ("npx jest | tail -3", "sh: 1: jest: not found"),
        ("npm test | tail -3", "sh: jest: command not found"),
        ("python -m pytest -q | tail -3", "/usr/bin/python: No module named pytest"),
        ("uv run pytest -q | tail", "error: Failed to spawn: `pytest`\n  Caused by: No such file or directory (os error 2)"),
        ("./scripts/check.sh; true", "bash: ./scripts/check.sh: No such file or directory"),
        ("./scripts/test.sh | tail", "bash: ./scripts/test.sh: Permission denied"),
        ("./build/unit_tests | tail -4; true", "Segmentation fault (core dumped)"),
        ("pytest -q | tail -3", "bash: line 1: 4711 Killed                  pytest -q"),
        ("pytest -q | tail -3", "collected 90 items\nTerminated"),
        ("timeout -v 5 pytest -q | tail -3", "timeout: sending signal TERM to command ‘pytest’"),
        ("make check; true", "make: *** [Makefile:3: check] Error 1"),
        ("pytest -q | tail -3", "3 passed in 0.1s\nSegmentation fault"),
        ("pytest | tail -3", "Command timed out after 2m 0s\ncollected 90 items"),
        ("bash test.sh | cat", "test.sh: line 3: syntax error near unexpected token `fi'"),
    ],
)
def test_what_the_shell_says_of_a_program_that_did_not_run_or_died_is_a_failure(command: str, text: str) -> None:
    read = verdict(command, text)
    assert read.value is Verdict.FAILED
    assert read.evidence in text


def test_a_program_that_only_a_passing_test_s_log_misses_is_no_failure() -> None:
    text = "captured: bash: frobnicate: command not found\nbash: frobnicate: command not found\n9 passed in 0.2s"
    assert verdict("pytest -q -s | tail", text).value is Verdict.PASSED


@pytest.mark.parametrize(
    ("command", "text", "code", "said"),
    [
        # All checks of a line must have passed, each by its own evidence.
        ("ruff check . ; pytest -q | tail -1", "9 passed in 0.2s", 0, "not seen"),
        ("ruff check . && pytest -q | tail -1", "9 passed in 0.2s", 0, "passed"),
        ("ruff check . ; pytest -q | tail -1", "All checks passed!\n9 passed in 0.2s", 0, "passed"),
        ("ruff check . ; pytest -q | tail -1", "Found 1 error.\n9 passed in 0.2s", 0, "failed"),
        ("pytest -q a; pytest -q b | tail -1", "1 failed in 0.1s\n\n\n\n\n\n\n\n\n\n9 passed in 0.2s", 0, "not seen"),
        ("pytest -q a; pytest -q b", "4 passed in 0.1s\n9 passed in 0.2s", 0, "passed"),
        ("pytest -q || pytest -q --lf", "1 failed, 8 passed in 0.2s\n1 passed in 0.1s", 0, "passed"),
        ("for f in a b; do pytest -q $f; done", "1 failed in 0.1s\n4 passed in 0.2s", 0, "failed"),
        # The status of a line is that of its checks, or it is not.
        ("pytest -q && git push", "9 passed in 0.2s\n ! [rejected]", 1, "passed"),
        ("go build ./... && ./shop aaaa", "unknown command", 1, "not seen"),
        ("pytest -q", "9 passed in 0.2s", 1, "failed"),
        ("pytest -q", "anything", 1, "failed"),
        ("pytest -q", "no tests ran in 0.01s", 5, "not seen"),
        ("go test ./... 2>&1 | grep FAIL", "", 1, "not seen"),
        ("go test ./... 2>&1 | grep FAIL", "", 0, "not seen"),
        ("pytest -q > /tmp/log 2>&1; echo \"exit: $?\"", "exit: 0", 0, "passed"),
        ("pytest -q > /tmp/log 2>&1; echo \"exit: $?\"", "exit: 2", 0, "failed"),
        ("pytest -q 2>&1 | tail -1; echo \"exit: $?\"", "\nexit: 0", 0, "not seen"),
        ("npx tsc | tail -1; echo \"exit: ${PIPESTATUS[0]}\"", "\nexit: 0", 0, "passed"),
        # Words in names and logs are neither.
        ("npm test 2>&1 | tail -3", "[info] retried after 1 failed attempt\n\nTests:       41 passed, 41 total", 0, "passed"),
        ("cargo test 2>&1 | tail -3", "test ring::after_3_errors ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored", 0, "passed"),
        ("npx eslint . --fix 2>&1 | tail -2", "✖ 3 problems (0 errors, 3 warnings)", 0, "passed"),
        ("node --test 2>&1 | tail -5", "✔ rejects: FAIL line is kept (0.4ms)\nℹ tests 2\nℹ pass 2\nℹ fail 0", 0, "passed"),
        ("pytest -q | tail -9", "tests/test_fail.py::test_3_errors PASSED\n=== 3 passed in 0.1s ===", 0, "passed"),
        ("npm test", "reports: npm test can fail\nchecked 3 errors", 0, "passed"),
        # A linter that passed at the beginning says nothing of the tests behind it, which are not shown.
        ("npm test 2>&1 | head -2", "All matched files use Prettier code style!\n> jest", 0, "not seen"),
        # What was cut by the client decides nothing; its status does.
        ("pytest | cat", "<persisted-output>\nOutput too large (90KB). Full output saved to: /t/b.txt\n\n9 passed in 0.2s", 0, "not seen"),
        ("pytest", "<persisted-output>\nOutput too large (90KB). Full output saved to: /t/b.txt\n\n1 failed in 0.2s", 0, "passed"),
        ("pytest | cat", "collected 9\n\n... [900 characters truncated] ...\n\n8 passed in 0.2s", 0, "passed"),
        ("ls", "a", 0, "not seen"),
    ],
)  # fmt: skip
def test_chains_statuses_and_logs(command: str, text: str, code: int, said: str) -> None:
    assert verdict(command, text, code).value == said


def test_ten_thousand_lines_of_noise_are_read_at_their_ends() -> None:
    noise = "\n".join(f"2026-09-01 10:00:{number % 60:02} worker {number}: handled, 0 errors, all ok" for number in range(10_000))
    assert verdict("make check | cat", f"{noise}\n9 passed in 0.2s").value is Verdict.PASSED
    assert verdict("make check | cat", f"{noise}\n1 failed, 9 passed in 0.2s").value is Verdict.FAILED
    assert verdict("make check | cat", noise).value is Verdict.NOT_SEEN


LINES = sorted({line for *_, text in OUTPUTS for line in text.split("\n")})
COMMANDS = sorted({command for _, _, command, _ in OUTPUTS})


@given(
    st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=3),
    st.sampled_from([" ; ", " && ", " || ", " | tail -3 ; ", " & "]),
    st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=40)), max_size=12),
    st.sampled_from([None, 0, 1, 5, 124]),
)
def test_any_lines_are_read_without_raising_and_a_hidden_pass_has_its_line(
    commands: list[str], between: str, lines: list[str], code: int | None
) -> None:
    line = between.join(commands)
    read = verdict(line, "\n".join(lines), code)
    if read.value is Verdict.PASSED and analyse_command(line).checks[-1].is_status_lost:
        assert read.evidence


@pytest.mark.parametrize("filler", [" ", "1", "=", "a b ", "\t", "x:1:1: ", "Status: 1", "\r", "\x1b[0m", "… "])
def test_no_line_takes_long(filler: str) -> None:
    started = process_time()
    verdict("make check; true", filler * 80_000)
    verdict("make check; true", f"{filler * 400}\n" * 200)
    assert process_time() - started < 3
