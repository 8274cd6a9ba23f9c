"""What became of the symbols of a file between two versions."""

from __future__ import annotations

from clew.codebase.symbol_changes import SymbolChanges, compare_symbols

BEFORE = b"""class A:
    def go(self, x):
        return x

    def stop(self):
        return 1


def old():
    return 0


def keep():
    return 1


def same():
    return 1
"""
AFTER = b"""class A:
    def go(self, x, y=2):
        return x


def new():
    return 0


def keep():
    return 2


def same( ):
    return 1


class B:
    def stop(self):
        return 1
"""


def test_each_symbol_is_told_once_by_what_became_of_it() -> None:
    """A method that went to another class has moved; a class is not changed by its methods, nor a signature by its spacing."""
    assert compare_symbols("a.py", BEFORE, AFTER) == SymbolChanges(
        added=("B", "new"), removed=("old",), moved=(("A.stop", "B.stop"),), signature=("A.go",), body=("keep",)
    )
    assert compare_symbols("a.py", BEFORE, BEFORE) == SymbolChanges()
