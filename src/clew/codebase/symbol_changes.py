"""Symbol changes: which symbols of a file are added, removed, moved, or changed in signature or body between two versions of its bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clew.codebase.facts import MODULE_QUALNAME
from clew.codebase.parse import parse_file


@dataclass(frozen=True, slots=True)
class SymbolChanges:
    """Qualified names by what became of them, each ordered; `moved` as (from, to). A symbol is listed where it changed itself, once."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    signature: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Version:
    """A symbol in one version: what tells that it is the same one elsewhere, its header without spacing, its own text."""

    qualname: str
    identity: tuple[str, str, bytes]
    signature: bytes
    own: bytes


def compare_symbols(path: str, before: bytes, after: bytes) -> SymbolChanges:
    """Return what became of the symbols of a file between two versions of its bytes.

    A symbol that stands under another parent with the same own name, kind and text has moved. Of what contains others (a class) only
    its own text counts, so a changed method does not change its class.
    """
    old, new = _read(path, before), _read(path, after)
    gone = {key: each for key, each in old.items() if key not in new}
    come = {key: each for key, each in new.items() if key not in old}
    moved: dict[tuple[str, int], tuple[str, int]] = {}
    for key, each in gone.items():
        same = [other for other, found in come.items() if found.identity == each.identity and other not in moved.values()]
        if len(same) == 1:
            moved[key] = same[0]
    both = [(each, new[key]) for key, each in old.items() if key in new]
    return SymbolChanges(
        added=_names(each for key, each in come.items() if key not in moved.values()),
        removed=_names(each for key, each in gone.items() if key not in moved),
        moved=tuple(sorted((gone[key].qualname, come[to].qualname) for key, to in moved.items())),
        signature=_names(now for then, now in both if then.signature != now.signature),
        body=_names(now for then, now in both if then.signature == now.signature and then.own != now.own),
    )


def _read(path: str, data: bytes) -> dict[tuple[str, int], _Version]:
    """Return the symbols of a file by (qualified name, how many of that name stand before it)."""
    symbols = parse_file(path, data).symbols
    inner: dict[int, list[tuple[int, int]]] = {}
    for symbol in symbols[1:]:
        inner.setdefault(symbol.parent, []).append((symbol.start, symbol.end))
    found: dict[tuple[str, int], _Version] = {}
    seen: dict[str, int] = {}
    for index, symbol in enumerate(symbols):
        if symbol.qualname == MODULE_QUALNAME or symbol.kind == "text":
            continue
        number = seen[symbol.qualname] = seen.get(symbol.qualname, -1) + 1
        at, own = symbol.signature_end, b""
        for start, end in sorted(inner.get(index, ())):
            own, at = own + data[at:start], max(at, end)
        own = b"".join((own + data[at : symbol.end]).split())
        header = b"".join(data[symbol.signature_start : symbol.signature_end].split())
        text = b" ".join(data[symbol.start : symbol.end].split())
        found[symbol.qualname, number] = _Version(symbol.qualname, (symbol.kind, symbol.name, text), header, own)
    return found


def _names(versions: Iterable[_Version]) -> tuple[str, ...]:
    return tuple(sorted({each.qualname for each in versions}))
