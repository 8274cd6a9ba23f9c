"""Standard output holds the answer and nothing else, whatever bytes it is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clew.cli.options import DisplayOptions
from clew.cli.output import escape_control, escape_surrogates, write_json
from clew.cli.packets import format_budget_use, packet_to_json, show_packet
from clew.records import Layer, MatchKind, MatchReason, Packet, PacketEntry, Resolution, outside_span
from clew.records.wording import format_size
from tests.fences import opened

NAMED = MatchReason(MatchKind.NAMED, ("tie_bowline",))
CODE = PacketEntry(
    id="3k7q2m9xabcdefghjkmnpqrstv", handle="3k7q2m9x", layer=Layer.FACT, kind="function", name="tie_bowline", resolution=Resolution.FULL,
    tokens=31, weight=0.91, why=(NAMED, MatchReason(MatchKind.WORDS, ("bowline", "loop"))), text="def tie_bowline(): ...\n", is_whole=True,
    path="src/kn\udcffots.py", start=11, end=13,
)  # fmt: skip
SAID = PacketEntry(
    id="9x2m7k3qabcdefghjkmnpqrstv", handle="9x2m7k3q", layer=Layer.INTENT, kind="constraint", name="never by number",
    resolution=Resolution.SIGNATURE, tokens=9, weight=0.5, why=(MatchReason(MatchKind.WORDS, ("number",)),),
    text="[9x2m7k3q] never by number\n", is_whole=False,
    session="s-1", uuid="u-1",
)  # fmt: skip
PACKET = Packet(
    "why \x1b[31mred?",
    (CODE, SAID),
    (outside_span("=== src\ndef tie_bowline(): ...\n\x1b[2Jtext\n"),),
    40,
    100,
    "chars4",
    0.0123,
    0.02,
    ("vector: no model",),
)


def test_json_of_a_packet_has_every_promised_field_in_a_fixed_order() -> None:
    value = packet_to_json(PACKET, workspace="key", root=Path("/r"))

    assert list(value) == [
        "question", "workspace", "root", "tokenizer", "tokens", "fence_tokens", "budget",
         "shadow_price", "gap", "skipped", "remarks", "entries", "text", "spans",
    ]  # fmt: skip
    code, said = value["entries"]
    shared = ["id", "handle", "layer", "kind", "name", "resolution", "tokens", "weight", "why", "is_whole"]
    assert list(code) == [*shared, "path", "start", "end"]
    assert list(said) == [*shared, "session", "uuid"]
    assert (code["resolution"], said["resolution"], said["layer"]) == ("full", "signature", "intent")


def test_names_that_are_not_utf8_have_their_bytes_escaped_in_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_json(packet_to_json(PACKET, workspace="key", root=Path("/r\udce9")))
    value = json.loads(capfdbinary.readouterr().out)

    assert value["entries"][0]["path"] == r"src/kn\xffots.py"
    assert value["root"] == r"/r\xe9"


def test_without_a_terminal_the_answer_is_exactly_the_text_in_a_fence(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    show_packet(
        PACKET, workspace="key", root=Path("/r"), home=tmp_path, display=DisplayOptions(is_json=False, is_quiet=False, shows_table=None)
    )
    out, err = capfdbinary.readouterr()

    assert opened(out.decode()).inside == (PACKET.text.removesuffix("\n"),)
    assert "40 of 100 tokens (chars4)" in err.decode()


def test_quiet_says_nothing(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    show_packet(
        PACKET, workspace="key", root=Path("/r"), home=tmp_path, display=DisplayOptions(is_json=False, is_quiet=True, shows_table=None)
    )

    assert capfdbinary.readouterr().err == b""


def test_the_table_says_what_was_chosen_and_why_and_cannot_steer_the_terminal(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    show_packet(
        PACKET, workspace="key", root=Path("/r"), home=tmp_path, display=DisplayOptions(is_json=False, is_quiet=False, shows_table=True)
    )
    shown = capfdbinary.readouterr().out.decode()

    for part in (
        "3k7q2m9x",
        "9x2m7k3q",
        "named in the question: tie_bowline",
        "constraint",
        "shadow price 0.0123",
        "2.0% below the LP bound",
    ):
        assert part in shown
    assert "\x1b[2J" not in shown
    assert r"\x1b[2Jtext" in shown


def test_the_certificate_names_what_was_left_out() -> None:
    assert format_budget_use(PACKET).endswith("left out: vector: no model")


@pytest.mark.parametrize(
    ("text", "expected"), [("a\udcffb", r"a\xffb"), ("\ud83d", r"\ud83d"), ("naïve 😀\n\t", "naïve 😀\n\t"), ("\x1b[0m", "\x1b[0m")]
)
def test_printable_can_always_be_encoded(text: str, expected: str) -> None:
    assert escape_surrogates(text) == expected
    escape_surrogates(text).encode()


def test_visible_leaves_no_control_character_but_tab_and_line_end() -> None:
    assert escape_control("a\tb\n\x1b]0;title\x07\x9b1m\r") == "a\tb\n\\x1b]0;title\\x07\\x9b1m\\x0d"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (25_100_000, "25.1 MB"),
        (10**12, "1000.0 GB"),
    ],
)
def test_sizes_are_told_in_three_or_four_digits(size: int, expected: str) -> None:
    assert format_size(size) == expected
