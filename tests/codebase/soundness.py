"""What must be true of the facts of any file."""

from __future__ import annotations

from clew.codebase.facts import FileFacts


def assert_sound(facts: FileFacts, data: bytes) -> None:
    """Spans nest, parents come first, headers lie inside, and every byte belongs to some symbol."""
    symbols = facts.symbols
    module = symbols[0]
    assert (module.kind, module.parent, module.start, module.end) == ("module", -1, 0, len(data))
    ends: dict[int, int] = {}
    for index, symbol in enumerate(symbols):
        assert symbol.start <= symbol.signature_start <= symbol.signature_end <= symbol.head_end <= symbol.end
        assert 1 <= symbol.start_line <= symbol.end_line <= len(data.split(b"\n"))
        assert all(name and times > 0 for name, _, times in symbol.calls)
        assert all(name and times > 0 for name, _, times in symbol.references)
        if index:
            parent = symbols[symbol.parent]
            assert 0 <= symbol.parent < index
            assert symbol.name
            assert symbol.start < symbol.end
            assert parent.start <= symbol.start
            assert symbol.end <= parent.end
            assert ends.get(symbol.parent, 0) <= symbol.start
            assert symbols[index - 1].start <= symbol.start
            ends[symbol.parent] = symbol.end
    at = 0
    for start, end in sorted([*facts.gaps, *((symbol.start, symbol.end) for symbol in symbols[1:] if symbol.parent == 0)]):
        assert start == at
        assert end > start
        at = end
    assert at == len(data)
