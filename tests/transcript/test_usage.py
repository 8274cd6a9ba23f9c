"""What usage says of our counts: which stretches of a session make a pair, what is kept of them, when they are believed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clew.records import Observation, ObservationKind, SourceState, Usage
from clew.text.tokens import counter
from clew.transcript.follow import deltas, observe, seen
from clew.transcript.usage import (
    CALL_TOKENS,
    PAIRS_MAX,
    SESSION_PAIRS_MAX,
    TOKENS,
    Pairs,
    Seen,
    Watching,
    fitted,
    merged,
    pairs,
    pairs_of,
    proposed,
    watched,
)

if TYPE_CHECKING:
    from conftest import ClaudeScript, CodexScript

FAMILY = "claude-3"
LINES = "".join(f"{number:>6}\tdef total_{number}(rows): return sum(rows)\n" for number in range(1, 121))
CALL = '{"file_path":"/w/cart.py"}'


def noted(kind: ObservationKind, text: str, **more: object) -> Observation:
    base = Observation("s1", 0, 0, "u", kind, text, at_ns=5)
    return replace(base, **more)


def call(window: int, *, model: str = "claude-opus-4-6", agent: str = "") -> Observation:
    """A reply that only calls a tool; `window` is what was sent to the model, most of it from its cache."""
    usage = Usage(8, 40, window - 8 - window // 4, window // 4) if window else Usage(output_tokens=9)
    return noted(ObservationKind.CALL, CALL, tool="Read", model=model, usage=usage, agent=agent)


def result(text: str = LINES, agent: str = "") -> Observation:
    return noted(ObservationKind.RESULT, text, tool="Read", agent=agent)


ESTIMATED = counter(FAMILY).count(LINES) + counter(FAMILY).count(CALL)
GROWN = 20_000 + ESTIMATED + CALL_TOKENS[FAMILY]


def factored(factor: float, count: int) -> list[Observation]:
    """A session in which the model's window grows by `factor` times our count at each of `count` calls."""
    window, said = 20_000, list[Observation]()
    for _ in range(count):
        said += [call(window), result()]
        window += round(factor * ESTIMATED) + CALL_TOKENS[FAMILY]
    return [*said, call(window)]


def test_what_was_said_between_two_replies_makes_a_pair() -> None:
    assert pairs([call(20_000), result(), call(GROWN + 7)]) == {FAMILY: [(ESTIMATED, ESTIMATED + 7)]}


def test_a_family_is_judged_by_its_own_count() -> None:
    replies = [call(20_000, model="claude-opus-4-7"), result(), call(22_500, model="claude-opus-4-7")]

    newest = counter("claude-4.7")
    assert pairs(replies) == {"claude-4.7": [(newest.count(LINES) + newest.count(CALL), 2_500 - CALL_TOKENS["claude-4.7"])]}


@pytest.mark.parametrize(
    "between",
    [
        [noted(ObservationKind.THINKING, "what is shown of a thought is a summary")],
        [noted(ObservationKind.PROMPT, "a prompt, to which the client adds")],
        [noted(ObservationKind.ATTACHMENT, "a reminder", tool="task_reminder")],
        [noted(ObservationKind.BOUNDARY, "Conversation compacted", tool="compact_boundary")],
        [noted(ObservationKind.SUMMARY, "what stood before")],
        [noted(ObservationKind.NOTE, "<command-name>/clear</command-name>", tool="client")],
        [result("[image: image/png]")],
        [result("x" * 1_100_000)],
    ],
    ids=lambda between: between[0].kind.value,
)
def test_a_stretch_that_nobody_can_count_says_nothing(between: list[Observation]) -> None:
    """And the next one, which can be counted, does."""
    observations = [call(20_000), result(), *between, call(GROWN), result(), call(2 * GROWN - 20_000)]

    assert pairs(observations) == {FAMILY: [(ESTIMATED, ESTIMATED)]}


@pytest.mark.parametrize(
    "observations",
    [
        [call(20_000), result(), call(9_000)],
        [call(20_000), result(), call(20_150)],
        [call(20_000), result("short"), call(22_000)],
        [call(20_000), result(), call(20_000 + 3 * ESTIMATED)],
        [call(20_000), result(), call(GROWN, model="claude-opus-4-5")],
        [call(20_000, agent="a1"), result(agent="a1"), call(GROWN, agent="a1")],
        [call(20_000, model="<synthetic>"), result(), call(GROWN, model="<synthetic>")],
        [call(20_000, model="gpt-5-codex"), result(), call(GROWN, model="gpt-5-codex")],
    ],
    ids=["shrunk", "hardly grown", "short text", "grown by what is not here", "another model", "subagent", "nobody", "no figure for calls"],
)
def test_growth_that_cannot_be_compared_says_nothing(observations: list[Observation]) -> None:
    assert pairs(observations) == {}


def test_a_subagent_at_work_does_not_disturb_the_main_thread() -> None:
    between = [call(3_000, agent="a1"), result(agent="a1"), noted(ObservationKind.THINKING, "hm", agent="a1"), call(90_000, agent="a1")]

    assert pairs([call(20_000), *between, result(), call(GROWN)]) == {FAMILY: [(ESTIMATED, ESTIMATED)]}


def test_a_reply_in_several_records_is_one_reply() -> None:
    """Later records of a reply tell output tokens alone."""
    counted = counter(FAMILY)
    observations = [call(20_000), call(0), result(), result(), call(24_500)]

    assert pairs(observations) == {FAMILY: [(2 * (counted.count(LINES) + counted.count(CALL)), 4_500 - 2 * CALL_TOKENS[FAMILY])]}


def test_only_the_newest_pairs_are_kept() -> None:
    kept = pairs(factored(1.1, PAIRS_MAX + 3))[FAMILY]
    session = watched(factored(1.1, PAIRS_MAX + 3)).pairs[FAMILY]

    assert len(kept) == PAIRS_MAX
    assert session == kept[-SESSION_PAIRS_MAX:]


def test_watching_goes_on_anywhere_as_if_never_interrupted() -> None:
    observations = factored(1.2, 3)
    whole = watched(observations)
    for cut in range(len(observations) + 1):
        first = Watching()
        for observation in observations[:cut]:
            first.take(observation)
        then = Watching(first.memory())
        for observation in observations[cut:]:
            then.take(observation)
        assert then.seen() == whole


def write(written: ClaudeScript, factor: float, count: int) -> None:
    """The session of `factored`, as Claude Code writes it."""
    written.prompt("Read it all.")
    window = 20_000
    for number in range(count + 1):
        usage = {"input_tokens": 8, "cache_read_input_tokens": window - 8, "cache_creation_input_tokens": 0, "output_tokens": 3}
        block = {"type": "tool_use", "id": f"t{number}", "name": "Read", "input": {"file_path": "/w/cart.py"}}
        written.say({"type": "text", "text": "I read."}, message_id=f"m{number}", usage=usage)
        written.say(block, message_id=f"m{number}", usage=usage)
        written.answer(f"t{number}", LINES)
        window += round(factor * (ESTIMATED + counter(FAMILY).count("I read."))) + CALL_TOKENS[FAMILY]


def test_a_growing_transcript_says_what_it_says_as_a_whole(tmp_path: Path, claude: ClaudeScript) -> None:
    write(claude, 1.2, 3)
    path = claude.save(tmp_path)
    whole = list(deltas(path))[-1].state
    assert whole is not None
    for lines in range(2, len(claude.records)):
        path.write_bytes(b"".join(record + b"\n" for record in claude.records[:lines]))
        [first] = deltas(path)
        path.write_bytes(claude.bytes())
        [then] = deltas(path, state=first.state)
        assert then.state is not None
        assert seen(then.state) == seen(whole)

    assert seen(whole).pairs == pairs(observe(path))
    assert [round(real / estimated, 3) for estimated, real in seen(whole).pairs[FAMILY]] == [1.2, 1.2, 1.2]


def test_codex_sends_reasoning_again_that_nobody_sees(tmp_path: Path, codex: CodexScript) -> None:
    for total in (9_000, 12_000, 15_000):
        codex.line("response_item", {"type": "function_call", "name": "shell", "call_id": f"c{total}", "arguments": "{}"})
        last = {"input_tokens": total, "cached_input_tokens": 0, "output_tokens": 5}
        info = {"total_token_usage": {"total_tokens": total}, "last_token_usage": last}
        codex.line("event_msg", {"type": "token_count", "info": info})
        codex.line("response_item", {"type": "function_call_output", "call_id": f"c{total}", "output": LINES})
    path = tmp_path / "rollout.jsonl"
    path.write_bytes(b"".join(record + b"\n" for record in codex.records))

    assert any(observation.usage for observation in observe(path))
    assert pairs(observe(path)) == {}


# -- what a workspace keeps -----------------------------------------------------------------------


def kept(sessions: Sequence[tuple[str, Seen]]) -> SourceState | None:
    state = None
    for session, said in sessions:
        state = merged(state, session, said)
    return state


SESSIONS = [
    (name, Seen(at_ns, {FAMILY: [(1000, 1000 + at_ns)] * count})) for name, at_ns, count in (("a", 1, 3), ("b", 2, 32), ("c", 2, 1))
]


def test_neither_order_nor_repetition_changes_what_is_kept() -> None:
    states = {kept([*order, *order[:2]]) for order in itertools.permutations(SESSIONS)}

    assert len(states) == 1
    assert pairs_of(states.pop(), FAMILY) == [(1000, 1002)] * 33 + [(1000, 1001)] * 3


def test_the_newest_sessions_are_kept_within_the_bound() -> None:
    many = [(f"s{at}", Seen(at, {FAMILY: [(1000, 1000 + at)] * 40})) for at in range(1, 12)]

    state = kept(many)

    assert state == kept(many[::-1])
    assert state is not None
    assert state.size == len(pairs_of(state, FAMILY)) == PAIRS_MAX
    assert {real for _, real in pairs_of(state, FAMILY)} == {1004 + at for at in range(8)}


def test_a_session_says_a_thing_once() -> None:
    """What it says later replaces what it said before; saying the same again proposes nothing."""
    state = kept(SESSIONS)
    later = Seen(1, {FAMILY: [(1000, 900)]})

    assert proposed(state, *SESSIONS[0]) is None
    assert proposed(None, "a", Seen(1)) is None
    delta = proposed(state, "a", later)
    assert delta is not None
    assert (delta.source, delta.is_whole, delta.records) == (TOKENS, False, ())
    assert pairs_of(delta.state, FAMILY)[-1:] == [(1000, 900)]
    assert pairs_of(merged(state, "a", Seen(1)), FAMILY) == [(1000, 1002)] * 33


# -- when they are believed -----------------------------------------------------------------------


def spread(median: float, scatter: float, count: int) -> Pairs:
    """Ratios that lie evenly around a median, with this median absolute deviation."""
    steps = [(2 * at / (count - 1) - 1) * 2 * scatter for at in range(count)]
    return [(100_000, round(100_000 * median * (1 + step))) for step in steps]


def test_a_clear_shift_corrects_the_count() -> None:
    assert 1.25 < fitted(counter(FAMILY), spread(1.3, 0.03, 33)).correction < 1.3
    assert fitted(counter("chars4"), spread(1.3, 0.03, 33)) == counter("chars4")


@pytest.mark.parametrize(
    "found",
    [[], spread(1.3, 0.0, 7), spread(1.3, 0.15, 255), spread(1.01, 0.03, 65), [(0, 5)] * 9],
    ids=["none", "few", "scattered", "no further off than by chance", "nothing estimated"],
)
def test_pairs_that_may_be_noise_change_nothing(found: Pairs) -> None:
    assert fitted(counter(FAMILY), found) == counter(FAMILY)


def test_a_small_shift_is_believed_once_enough_pairs_agree() -> None:
    assert fitted(counter(FAMILY), spread(1.015, 0.02, 25)).correction == 1.0
    assert fitted(counter(FAMILY), spread(1.015, 0.02, 255)).correction == pytest.approx(1.015, abs=0.002)
