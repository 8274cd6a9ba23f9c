"""What a shell command shows, changes, or only asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.transcript.commands import COMMAND_CHARS_MAX, Sight, command_line, understand


@pytest.mark.parametrize(
    ("command", "sight"),
    [
        ("cat src/a.py", Sight("src/a.py")),
        ("sed -n '10,20p' src/a.py", Sight("src/a.py", 10, 20)),
        ("sed -n 7p a.py", Sight("a.py", 7, 7)),
        ("head -n 50 a.py", Sight("a.py", 1, 50)),
        ("head -20 a.py 2>/dev/null", Sight("a.py", 1, 20)),
        ("tail -n +30 a.py", Sight("a.py", 30, 0)),
        ("tail -5 a.py", Sight("a.py", 0, 0)),
        ("cat a.py | head -30", Sight("a.py", 1, 30)),
        ("cat a.py | sed -n '3,4p'", Sight("a.py", 3, 4)),
        ("cd src && nl -ba a.py | sed -n '3,9p'", Sight("a.py", 3, 9)),
        ("cat a.py b.py", None),
        ("cat *.py", None),
        ("cat a.py | grep x", None),
        ("cat a.py && pytest", None),
        ("cat a.py && rm a.py", None),
        ("grep x a.py", None),
    ],
)
def test_a_command_that_shows_one_file_is_a_sight_of_it(command: str, sight: Sight | None) -> None:
    assert understand(command).sight == sight


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("sed -i 's/a/b/' x.py", ("x.py",)),
        ("sed -i '' -e 's/a/b/' x.py y.py", ("x.py", "y.py")),
        ("rm -rf build", ("build",)),
        ("mv a.py b.py", ("a.py", "b.py")),
        ("git checkout -- a.py b.py", ("a.py", "b.py")),
        ("git checkout src/a.py", ("src/a.py",)),
        ("git checkout main", ()),
        ("git restore a.py", ("a.py",)),
        ("echo x > out.txt 2>/dev/null", ("out.txt",)),
        ("cat > a.py <<'EOF'\nrm b.py\nEOF", ("a.py",)),
        ("ruff check --fix a.py", ("a.py",)),
        ("ls > /dev/null", ()),
    ],
)
def test_files_that_a_command_surely_changes(command: str, changes: tuple[str, ...]) -> None:
    assert understand(command).changes == changes


@pytest.mark.parametrize("command", ["git status", "git log -5 | head", "ls -la && pwd", "gh pr view 3", "git branch", "python --version"])
def test_looking_changes_nothing(command: str) -> None:
    assert understand(command).is_look


@pytest.mark.parametrize(
    "command", ["git push", "git branch -D x", "npm install", "pytest", "gh api x -f body=y", "find . -delete", "git stash", ""]
)
def test_doing_is_not_looking(command: str) -> None:
    assert not understand(command).is_look


def test_a_shells_own_arguments_are_unwrapped() -> None:
    assert command_line(["/bin/zsh", "-lc", "ls | wc"]) == "ls | wc"
    assert command_line(["git", "status"]) == "git status"
    assert command_line(None) == ""


@given(st.text(max_size=200))
def test_no_command_is_too_odd(command: str) -> None:
    understand(command)


def test_of_a_command_that_holds_a_document_only_its_beginning_is_kept() -> None:
    """What was understood is remembered: a thousand such commands must not stay in memory whole."""
    assert understand("cat > a.py <<'E'\n" + "x" * COMMAND_CHARS_MAX) is understand("cat > a.py <<'E'\n" + "x" * 2 * COMMAND_CHARS_MAX)
