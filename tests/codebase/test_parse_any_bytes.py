"""Whatever the bytes are, parsing gives sound facts, the same every time, within bounds."""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clew
from clew.codebase.languages import LANGUAGES
from clew.codebase.languages.formats import TEXT_FORMATS
from clew.codebase.parse import SOURCE_BYTES_MAX, may_exhaust_memory, parse_file
from tests.codebase.samples import SAMPLES
from tests.codebase.soundness import assert_sound

SECTIONED = ("markdown", "rst", "toml", "yaml", "json", "ini", "env", "dockerfile", "text", "vue", "svelte", "astro")
EVERYTHING = (*SAMPLES, *SECTIONED)


def test_every_language_has_a_sample() -> None:
    assert set(SAMPLES) == set(LANGUAGES)


@settings(max_examples=200, deadline=None)
@given(language=st.sampled_from(EVERYTHING), data=st.binary(max_size=300))
def test_any_bytes(language: str, data: bytes) -> None:
    """No bytes raise, in any language."""
    assert_sound(parse_file("x", data, language), data)


LINE = 40_000
LONG_LINES = {
    "a heading, then spaces": b"# x" + b" " * LINE + b"y",
    "a heading of a document, then spaces": b"= x" + b" " * LINE + b"y",
    "a table, then spaces": b"[" + b" " * LINE + b"x",
    "a name, then spaces": b"x" + b" " * LINE + b"x",
    "an image, then spaces": b"FROM" + b" " * LINE + b"\n",
    "a stage, then spaces": b"FROM x AS" + b" " * LINE + b"y z",
    "a resource, then spaces": b"resource" + b" " * LINE + b"x",
    "a quote, then spaces": b'"x' + b" " * LINE + b"y",
    "words": b"a " * (LINE // 2),
    "colons": b"a" + b":" * LINE + b"=",
}


@pytest.mark.parametrize("line", LONG_LINES.values(), ids=LONG_LINES.keys())
def test_a_long_line_costs_no_more_than_its_length(line: bytes) -> None:
    """Patterns that try every split of a run of spaces would take seconds for each of these, and hours for 500 kB."""
    started = time.thread_time()
    for language in TEXT_FORMATS:
        parse_file("x", line, language)

    assert time.thread_time() - started < 1.0


WORDS = """
a B _c 1 ( ) { } [ ] < > , ; : . = + - * / & | ! ? @ # $ " ' ` \\ -> => :: ... if else for def class fn func fun function struct enum
interface impl trait return case switch in new let var val const static public template operator async import from package
namespace module end do begin try catch where extends /* */ // # ## --- ``` é 中
"""
TOKENS = st.sampled_from([*WORDS.split(), "\n", "\n\n", "\n    ", " ", "\t", "\r\n"])


@settings(max_examples=200, deadline=None)
@given(language=st.sampled_from(EVERYTHING), tokens=st.lists(TOKENS, max_size=60))
def test_any_tokens(language: str, tokens: list[str]) -> None:
    """No order of words of programs raises either."""
    data = " ".join(tokens).encode()
    assert_sound(parse_file("x", data, language), data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), language=st.sampled_from(tuple(SAMPLES)))
def test_a_damaged_file(data: st.DataObject, language: str) -> None:
    """A file that is cut, or has a piece cut out, doubled or overwritten, is read as far as it goes."""
    text = SAMPLES[language].encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    damaged = data.draw(
        st.sampled_from(
            [text[:start], text[end:], text[:start] + text[end:], text + text[start:end], text[:start] + b"\xff\x00(" + text[end:]]
        )
    )
    assert_sound(parse_file("x", damaged, language), damaged)


@pytest.mark.parametrize("language", EVERYTHING)
def test_facts_are_equal_again_and_survive_another_process(language: str) -> None:
    """Parsing twice gives equal facts, and so does pickling."""
    text = SAMPLES.get(language, "# A\n\nb\n").encode()
    first = parse_file("x", text, language)
    assert first == parse_file("x", text, language)
    assert pickle.loads(pickle.dumps(first)) == first


PATHOLOGICAL = {
    "brackets": b"f(" + b"[ " * 30_000,
    "braces": b"{" * 60_000,
    "closers": b"x } ] " * 20_000,
    "type arguments": b"a<" * 30_000,
    "generic calls": b"a<b<c>(d), " * 6_000,
    "blocks in strings": b'"${' * 20_000,
    "comments": b"x /* a " * 10_000,
    "cases": b"case a:" * 8_000,
    "assignments": b"a=" * 30_000,
    "list": b"a," * 30_000,
    "operators": b"\\ | * " * 10_000,
    "indentation": b"".join(b" " * depth + b"if a:\n" for depth in range(400)),
    "one line": b"x" * 500_000,
    "empty lines": b"\n" * 500_000,
    "nested keys": b"".join(b" " * depth + b"a:\n" for depth in range(1_000)),
    "headings": b"# a\n" * 20_000,
}


@pytest.mark.parametrize("language", [*SAMPLES, "markdown", "yaml", "json"])
def test_pathological_bytes_are_bounded(language: str) -> None:
    """Nesting, ambiguity and repetition that nobody writes cost seconds at most, and do not eat the machine."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, data in PATHOLOGICAL.items():
        started = time.thread_time()
        assert_sound(parse_file("x", data, language), data)
        assert time.thread_time() - started < 15, name
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 900_000


def test_code_that_people_write_is_no_runaway() -> None:
    """Long tables, long strings and long chains are read by their grammars."""
    table = b"int table[] = {" + b"0xa5ced43b, " * 5_000 + b"};\n"
    image = b'const logo = "' + b"iVBORw0KGgo" * 8_000 + b'";\n'
    chain = b"x = a" + b".b(c)" * 4_000 + b";\n"
    macros = b"#define FIRST 1\n" * 4_000
    assert not may_exhaust_memory(LANGUAGES["c"], table)
    assert not may_exhaust_memory(LANGUAGES["javascript"], image)
    assert not may_exhaust_memory(LANGUAGES["java"], chain)
    assert not may_exhaust_memory(LANGUAGES["c"], macros)


def test_a_source_that_is_too_large_is_kept_by_its_lines() -> None:
    """Above the limit no grammar is asked; the text can still be found."""
    data = b"def one():\n    return 1\n\n" * (SOURCE_BYTES_MAX // 24)
    facts = parse_file("big.py", data)

    assert len(data) > SOURCE_BYTES_MAX
    assert not facts.is_whole
    assert {symbol.kind for symbol in facts.symbols[1:]} == {"text"}
    assert_sound(facts, data)


def test_facts_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """Two processes with different seeds give the same bytes."""
    for language, text in SAMPLES.items():
        (tmp_path / language).write_text(text, "utf-8")
    script = (
        "import pathlib, sys\nfrom clew.codebase.parse import parse_file\n"
        f"for path in sorted(pathlib.Path({str(tmp_path)!r}).iterdir()): print(repr(parse_file('x', path.read_bytes(), path.name)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(clew.__file__).parent.parent)}
    outputs = {
        subprocess.run([sys.executable, "-c", script], env=environment | {"PYTHONHASHSEED": seed}, check=True, capture_output=True).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert b"FileFacts" in outputs.pop()


def test_bytes_that_are_not_utf8_are_read() -> None:
    """A Latin-1 source keeps its symbols; what cannot be decoded is replaced."""
    data = b"# caf\xe9\ndef caf\xe9():\n    return bar('\xfe')\n"
    facts = parse_file("x.py", data)

    assert_sound(facts, data)
    assert any("bar" in {name for name, _, _ in symbol.calls} for symbol in facts.symbols)


def test_a_macro_that_is_cut_behind_a_blank_ends_with_its_header() -> None:
    data = b"#define SQUARE(x) ((x) "

    assert_sound(parse_file("x.h", data, "c"), data)


def test_a_byte_that_is_no_character_stands_where_a_query_compares_names() -> None:
    damaged = b"pub trait Drive: Move + Stop<\xff\x00(8> {\n    fn go(&self) -> u8;\n}\n\nimpl<T> Drive for Car\xff<T> {}\n"

    assert_sound(parse_file("x", damaged, "rust"), damaged)
