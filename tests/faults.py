"""Faults: what happens when something around clew breaks, as the tests that break it say.

A test says it in its decorator, `@fault(when, then)`. `python -m tests.faults` writes `docs/faults.md` from them, and a test says when that
is out of date.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "faults.md"
HEAD = """\
# What happens when …

Each line is a test that breaks the thing and looks at what becomes of the session. In all of them the client goes on, and nothing that was
stored is lost. How long a session waits in each is measured: [bench/inside](../bench/inside/results). Written by `python -m tests.faults`.

| when | then | test |
| --- | --- | --- |
"""

Test = TypeVar("Test", bound=Callable[..., Any])


def fault(when: str, then: str) -> Callable[[Test], Test]:
    """Say what a test breaks, and what happens then."""
    return lambda test: test


def faults() -> Iterator[tuple[str, str, str]]:
    """Yield what each test breaks, what happens then, and where the test is; in the order of files and of lines."""
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for each in node.decorator_list:
                    if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "fault":
                        when, then = (ast.literal_eval(argument) for argument in each.args)
                        yield when, then, f"{file.relative_to(TESTS)}: {node.name}"


def page() -> str:
    """Return the page of all faults."""
    return HEAD + "".join(f"| {when} | {then} | `{test}` |\n" for when, then, test in faults())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
