"""Documents, configuration and plain text: what stands under which heading."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.codebase.facts import FileFacts
from clew.codebase.sections import BLOCK_LINES_MAX, count_code_words

Read = Callable[[str, str | bytes], FileFacts]


def outline(facts: FileFacts) -> list[tuple[str, int, int]]:
    return [(symbol.qualname, symbol.start_line, symbol.end_line) for symbol in facts.symbols[1:]]


MARKDOWN = """---
title: not a heading
---
Before.

# Install ##

Run `pip install`.
It calls setup_all() first.

```sh
# no heading
```

Usage
-----

- item
---

### Deep
end
"""


def test_markdown_is_cut_at_headings_and_nothing_else(read: Read) -> None:
    """Front matter, fences, lists and rules are no headings; a section reaches to the next of its level."""
    facts = read("README.md", MARKDOWN)

    assert outline(facts) == [("Install", 6, 22), ("Install > Usage", 15, 22), ("Install > Usage > Deep", 21, 22)]
    install = facts.symbols[1]
    assert (install.kind, install.docstring) == ("section", "Run `pip install`. It calls setup_all() first.")
    assert ("setup_all", "", 1) in install.references


def test_rst_levels_come_in_order_of_appearance(read: Read) -> None:
    """The first mark that is used is the highest level; framed titles have levels of their own."""
    facts = read("doc/index.rst", "=====\nTitle\n=====\n\nHello.\n\nPart\n----\n\na\n\nSmall\n~~~~~\n\nPart two\n--------\nb\n")

    assert outline(facts) == [
        ("Title", 1, 17),
        ("Title > Part", 7, 14),
        ("Title > Part > Small", 12, 14),
        ("Title > Part two", 15, 17),
    ]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.toml", "x = 1\n[tool.ruff]\nline = 1\n\n[[bin]] # more\nb = 2\n", [("tool.ruff", 2, 4), ("bin", 5, 6)]),
        ("setup.cfg", "[metadata]\nname = x\n[options]\ny = 1\n", [("metadata", 1, 2), ("options", 3, 4)]),
        ("ci.yml", "on: push\njobs:\n  a:\n    - x\n\n# for b\nother:\n  c: 1\n", [("jobs", 2, 4), ("other", 7, 8)]),
        ("x.yaml", "a:\n  b: 1\n---\nc:\n  d: 2\n", [("a", 1, 2), ("c", 4, 5)]),
        (
            "package.json",
            '{\n  "name": "x",\n  "scripts": {\n    "a": "b"\n  },\n  "c": [\n    1\n  ]\n}\n',
            [("scripts", 3, 5), ("c", 6, 8)],
        ),
        ("Dockerfile", "ARG A\nFROM base AS build\nRUN x\nFROM scratch\nCOPY y\n", [("build", 2, 3), ("scratch", 4, 5)]),
        (".env", "A=1\nB=2\n", []),
        ("notes.txt", "one\n\ntwo\n", []),
    ],
)
def test_configuration_is_cut_at_its_own_marks(read: Read, path: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    """Tables, keys with something below them, targets and stages are sections; short text stays with its file."""
    assert outline(read(path, text)) == expected


def test_a_long_key_gives_its_keys(read: Read) -> None:
    """Where a key fills more than a screen, the keys in it are sections too."""
    jobs = "".join(f"  job{number}:\n" + "    - step\n" * 30 for number in range(3))
    facts = read("ci.yaml", "jobs:\n" + jobs)

    assert [name for name, _, _ in outline(facts)] == ["jobs", "jobs.job0", "jobs.job1", "jobs.job2"]


def test_long_text_is_cut_at_blank_lines(read: Read) -> None:
    """A log of paragraphs gives blocks of about a screen, named by their first telling line, and no line is lost."""
    text = "".join(f"=====\nevent {number} happened\nmore\n\n" for number in range(100))
    facts = read("server.log", text)

    blocks = facts.symbols[1:]
    assert all(block.kind == "text" and block.end_line - block.start_line < BLOCK_LINES_MAX for block in blocks)
    assert [block.name for block in blocks[:2]] == ["event 0 happened", "event 15 happened"]
    assert "".join(text[block.start : block.end] for block in blocks).count("event") == 100


def test_text_without_blank_lines_is_cut_all_the_same(read: Read) -> None:
    """200 lines in a row become four blocks."""
    assert len(read("a.csv", "1,2\n" * 200).symbols) == 1 + 4


def test_long_file_level_code_is_cut(read: Read) -> None:
    """A script without functions gives blocks, with their own calls; a short one stays with its file."""
    long = read("run.py", "".join(f"step(value_{number})\n\n" for number in range(BLOCK_LINES_MAX)))
    short = read("run.py", "step(value_1)\n" * 3)

    assert {symbol.kind for symbol in long.symbols[1:]} == {"text"}
    assert sum(times for symbol in long.symbols for name, _, times in symbol.calls if name == "step") == BLOCK_LINES_MAX
    assert len(short.symbols) == 1
    assert short.symbols[0].calls == (("step", "", 3),)


def test_code_that_does_not_parse_is_still_there(read: Read) -> None:
    """What can be read becomes symbols, the rest blocks of lines."""
    text = "def good():\n    return other()\n\n" + ")) def ((\n%% broken here\n" * 40 + "\nclass Late:\n    pass\n"
    facts = read("broken.py", text)

    names = [symbol.qualname for symbol in facts.symbols]
    assert not facts.is_whole
    assert "good" in names
    assert any(symbol.kind == "text" for symbol in facts.symbols)


@pytest.mark.parametrize("path", ["empty.py", "empty.md", "empty.json", "empty", "empty.yaml"])
def test_an_empty_file_has_one_symbol(read: Read, path: str) -> None:
    """It is the file, of no lines."""
    facts = read(path, b"")

    assert len(facts.symbols) == 1
    assert facts.gaps == ()


def test_mentions_are_words_that_look_like_code() -> None:
    """Underscores, humps, calls and dotted paths; not the words of a sentence."""
    found = count_code_words("Please call open_file() or os.path.join, see FooBar and iPhone; the end. Really")

    assert set(found) == {"open_file", "path", "join", "FooBar", "iPhone"}
