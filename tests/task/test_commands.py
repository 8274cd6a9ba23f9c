"""What a command line does: its checks, its normal form, what one run tells about another, the files it names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.commands import analyse_command, find_read_files, parse_check_scope


@pytest.mark.parametrize(
    ("command", "form"),
    [
        ("pytest tests/a.py -q", "pytest tests/a.py -q"),
        ("cd api && FOO=1 npx jest cart 2>&1 | tail -20", "npx jest cart"),
        ("timeout 60 go test ./... -count=1", "go test ./... -count=1"),
        ("mise run fmt && mise run lint && mise run test:ci", "mise run lint && mise run test:ci"),
        ("uv run mypy src", "uv run mypy src"),
        ("python -m unittest discover", "python -m unittest discover"),
        ("pnpm --filter web test -- --run", "pnpm --filter web test -- --run"),
        ("make", "make"),
        ("./scripts/test.sh fast", "./scripts/test.sh fast"),
        ("# all of it\ncargo test", "cargo test"),
        ("git stash && cargo clippy; git stash pop", "cargo clippy"),
    ],
)
def test_checks_are_known_by_a_normal_form(command: str, form: str) -> None:
    line = analyse_command(command)

    assert line.checks
    assert line.form == form


@pytest.mark.parametrize(
    "command",
    [
        "ls tests", "git commit -m 'run pytest'", "echo pytest", "cat Makefile", "npm install", "pip install pytest", "mise run fmt",
        "ruff format src", "golangci-lint version", "cat > notes.md <<'EOF'\npytest tests\nEOF",
    ],
)  # fmt: skip
def test_what_only_speaks_of_checks_is_none(command: str) -> None:
    assert analyse_command(command).checks == ()


@pytest.mark.parametrize(
    ("command", "is_hidden"),
    [
        ("pytest", False),
        ("pytest 2>&1", False),
        ("pytest | tail -5", True),
        ("pytest; echo done", True),
        ("pytest || true", True),
        ("cd a && pytest", False),
    ],
)
def test_a_pipe_hides_the_exit_status_of_a_check(command: str, *, is_hidden: bool) -> None:
    assert any(check.is_status_lost for check in analyse_command(command).checks) is is_hidden


@pytest.mark.parametrize(
    ("new", "old", "covers"),
    [
        ("pytest", "pytest tests/a.py", True),
        ("pytest tests", "pytest tests/a.py::test_b -x", True),
        ("pytest tests/a.py", "pytest tests/b.py", False),
        ("pytest tests/a.py", "pytest", False),
        ("pytest -k cart", "pytest", False),
        ("pytest -k cart -v", "pytest -k cart -q", True),
        ("go test ./...", "go test ./cart -run TestTotal -v", True),
        ("go test ./...", "go test -tags=integration ./cart", False),
        ("go build ./...", "go test ./...", False),
        ("pnpm --filter web test", "pnpm --filter api test", False),
        ("npx jest", "jest cart", True),
    ],
)
def test_a_broader_run_tells_what_a_narrower_one_told(new: str, old: str, *, covers: bool) -> None:
    assert parse_check_scope(analyse_command(new).checks[0]).covers(parse_check_scope(analyse_command(old).checks[0])) is covers


def test_the_same_check_in_another_folder_is_another_check() -> None:
    check = analyse_command("npx tsc --noEmit").checks[0]

    assert not parse_check_scope(check, "apps/web").covers(parse_check_scope(check, "apps/api"))


@pytest.mark.parametrize(
    ("command", "read"),
    [
        ("cat src/a.py b.md", ("src/a.py", "b.md")),
        ("sed -n '1,40p' src/a.py", ("src/a.py",)),
        ("head -n 5 src/a.py", ("src/a.py",)),
        ("vim src/a.py", ("src/a.py",)),
        ("cat /dev/null", ()),
        ("sed -i s/a/b/ src/a.py", ()),
        ("echo src/a.py", ()),
    ],
)
def test_files_that_a_command_shows(command: str, read: tuple[str, ...]) -> None:
    assert tuple(find_read_files(analyse_command(command).commands[0])) == read


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("echo x > notes/a.md", ("notes/a.md",)),
        ("cat > a.py <<'EOF'\nimport b.c > d.py\nEOF", ("a.py",)),
        ("sed -i 's/a/b/' src/a.py", ("src/a.py",)),
        ("tee out/a.log", ("out/a.log",)),
        ("pytest > /dev/null 2>&1", ()),
        ("cat a.py", ()),
    ],
)
def test_files_that_a_command_changes(command: str, written: tuple[str, ...]) -> None:
    assert tuple(touch.path for touch in analyse_command(command).touches if touch.how != "read") == written


@given(st.text(alphabet="ab'\"\\|&;<>()$# \n-EOF", max_size=300))
def test_any_command_line_is_read(command: str) -> None:
    assert all(simple.words for simple in analyse_command(command).commands)


@pytest.mark.parametrize(
    ("line", "checks"),
    [
        ("yarn jest src/cart", ["yarn jest src/cart"]),
        ("CI=1 pnpm --filter web vitest run", ["pnpm --filter web vitest run"]),
        ("pnpm -r test", ["pnpm -r test"]),
        ("docker compose run --rm app pytest -q", ["docker compose run --rm app pytest -q"]),
        ("git diff --name-only | xargs npx eslint", ["xargs npx eslint"]),
        ("bash -lc 'cd web && npm test'", ["npm test"]),
        ("php artisan test", ["php artisan test"]),
        ("yarn add jest", []),
        ("uv pip install pytest", []),
        ("docker run --name pytest image ls", []),
        ("docker compose logs test", []),
        ("npm ls jest", []),
    ],
)
def test_a_check_is_seen_behind_the_program_that_starts_it(line: str, checks: list[str]) -> None:
    assert [" ".join(check.words) for check in analyse_command(line).checks] == checks
