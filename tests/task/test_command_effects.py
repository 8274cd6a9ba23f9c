"""What a shell command shows, changes, or only asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.commands import ShownFileRange, analyse_command
from clew.task.shell import COMMAND_CHARS_MAX, parse_shell


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("cat src/a.py", ShownFileRange("src/a.py")),
        ("sed -n '10,20p' src/a.py", ShownFileRange("src/a.py", 10, 20)),
        ("sed -n 7p a.py", ShownFileRange("a.py", 7, 7)),
        ("head -n 50 a.py", ShownFileRange("a.py", 1, 50)),
        ("head -20 a.py 2>/dev/null", ShownFileRange("a.py", 1, 20)),
        ("tail -n +30 a.py", ShownFileRange("a.py", 30, 0)),
        ("tail -5 a.py", ShownFileRange("a.py", 0, 0)),
        ("cat a.py | head -30", ShownFileRange("a.py", 1, 30)),
        ("cat a.py | sed -n '3,4p'", ShownFileRange("a.py", 3, 4)),
        ("cd src && nl -ba a.py | sed -n '3,9p'", ShownFileRange("a.py", 3, 9)),
        ("cat a.py b.py", None),
        ("cat *.py", None),
        ("cat a.py | grep x", None),
        ("cat a.py && pytest", None),
        ("cat a.py && rm a.py", None),
        ("grep x a.py", None),
    ],
)
def test_a_command_that_shows_one_file_is_a_sight_of_it(command: str, shown: ShownFileRange | None) -> None:
    assert analyse_command(command).shown == shown


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
    assert analyse_command(command).changes == changes


@pytest.mark.parametrize("command", ["git status", "git log -5 | head", "ls -la && pwd", "gh pr view 3", "git branch", "python --version"])
def test_looking_changes_nothing(command: str) -> None:
    assert analyse_command(command).is_read_only


@pytest.mark.parametrize(
    "command", ["git push", "git branch -D x", "npm install", "pytest", "gh api x -f body=y", "find . -delete", "git stash", ""]
)
def test_doing_is_not_looking(command: str) -> None:
    assert not analyse_command(command).is_read_only


@given(st.text(max_size=200))
def test_no_command_is_too_odd(command: str) -> None:
    analyse_command(command)


def test_of_a_command_that_holds_a_document_only_its_beginning_is_kept() -> None:
    """What was understood is remembered: a thousand such commands must not stay in memory whole."""
    assert analyse_command("cat > a.py <<'E'\n" + "x" * COMMAND_CHARS_MAX) is analyse_command(
        "cat > a.py <<'E'\n" + "x" * 2 * COMMAND_CHARS_MAX
    )


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("cat > a.py <<'E'\nrm b.py\nE\npytest", ["cat", "pytest"]),
        ("cat > a.py <<E\nrm $(b\n", ["cat"]),  # cut off within a document
        ("python - <<'E' 2>&1 | tail -3\nprint(1)\nE\nls", ["python", "tail", "ls"]),
        ("x=$(ls a | wc -l); echo \"$(date)\"", ["ls", "wc", "echo", "date"]),
        ("for f in *; do cat $f; done > out", ["cat"]),
        ("find . 2>/dev/null -name x && sudo -n env A=1 timeout 5 make", ["find", "make"]),
        ("echo 'unfinished", ["echo"]),
    ],
)  # fmt: skip
def test_commands_are_found_wherever_they_stand(command: str, programs: list[str]) -> None:
    assert [simple.program for simple in analyse_command(command).commands] == programs


@pytest.mark.parametrize(
    ("command", "is_lost"),
    [
        ("pytest && echo ok || echo no", True),
        ("pytest && echo ok; ls", True),
        ("(cd a && pytest) | tail", True),
        ("pytest && ruff check . 2>&1 | tail", False),
        ("pytest 'unfinished", True),
        ("if true; then pytest; fi", False),
        ("pytest &", True),
    ],
)
def test_a_status_is_believed_where_it_is_that_of_the_check(command: str, *, is_lost: bool) -> None:
    assert (
        analyse_command(command).commands[[simple.program for simple in analyse_command(command).commands].index("pytest")].is_status_lost
        is is_lost
    )


def test_a_broken_line_is_no_look() -> None:
    assert not analyse_command("cat a.py | (").is_read_only
    assert analyse_command("cat a.py | (").shown is None


@pytest.mark.parametrize("piece", ["a|", "x=(", "((", "$(", "`", "<<E\n", "a && ", "if ", '"$('])
def test_no_line_takes_long_or_nests_too_deep(piece: str) -> None:
    analyse_command(piece * 4000)


@pytest.mark.parametrize("odd", ["{\U000bdc42뺁", "echo {😀", "grep '{\U0010fffd' a", "x={\U000e0412}"])
def test_no_character_crashes_the_parser(odd: str) -> None:
    for _ in range(50):
        parse_shell(odd)


def test_words_of_other_alphabets_are_kept() -> None:
    assert [simple.words for simple in parse_shell("grep 'größe 😀' café/价格.py && cat <<E\nü\nE\necho é").commands] == [
        ("grep", "größe 😀", "café/价格.py"),
        ("cat",),
        ("echo", "é"),
    ]
