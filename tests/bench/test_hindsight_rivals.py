"""Rivals of folding get the messages that the model had, and what they keep is measured by us and never above the budget."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.hindsight.messages import IMAGE, messages_of
from bench.hindsight.rivals import NOWHERE, RIVALS, Rival
from bench.hindsight.rivals.workers.window import is_within, most, newest, pieces_of, text_of, tokens_of
from bench.localization.arms.worker import RivalFailed


def _lines(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


def _said(role: str, *blocks: dict[str, Any] | str, **fields: object) -> dict[str, Any]:
    content = blocks[0] if len(blocks) == 1 and isinstance(blocks[0], str) else list(blocks)
    return {"type": role, "sessionId": "s", "message": {"role": role, "content": content}} | fields


def _call(call_id: str, name: str = "Bash", **arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _result(call_id: str, content: object = "done") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_blocks_of_one_role_in_a_row_are_one_message() -> None:
    """Claude Code writes each block of a reply on a line of its own."""
    messages = messages_of(
        _lines(
            _said("user", "fix the parser"),
            _said("assistant", _text("I look.")),
            _said("assistant", _call("c1", command="ls")),
            _said("assistant", _call("c2", "Read", file_path="a.py")),
            _said("user", _result("c1", "a.py")),
            _said("user", _result("c2", [_text("1\tx = 1"), _text("2\ty = 2")])),
            _said("assistant", _text("Fixed.")),
        )
    )

    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    assert messages[1]["content"] == [_text("I look."), _call("c1", command="ls"), _call("c2", "Read", file_path="a.py")]
    assert messages[2]["content"] == [_result("c1", "a.py"), _result("c2", "1\tx = 1\n2\ty = 2")]


def test_what_the_model_was_not_sent_is_left_out() -> None:
    """Subagents, progress, hooks, the client's own words and thinking are no messages; broken lines are passed over."""
    kept = _said("user", "hello")
    noise = _lines(
        _said("user", "a subagent's task", isSidechain=True),
        _said("user", "Base directory for this skill", isMeta=True),
        _said("user", "<local-command-stdout>ok</local-command-stdout>"),
        _said("assistant", "API Error: overloaded", isApiErrorMessage=True),
        _said("assistant", {"type": "thinking", "thinking": "hm"}),
        {"type": "progress", "data": {"type": "hook_progress"}},
        {"type": "system", "subtype": "turn_duration", "content": "9"},
        {"type": "file-history-snapshot", "messageId": "m"},
    )

    assert messages_of([b"{broken", b"[]", b"", *noise, *_lines(kept), *noise]) == [{"role": "user", "content": [_text("hello")]}]


def test_a_summary_that_stood_in_the_window_stays() -> None:
    assert "continued" in str(messages_of(_lines(_said("user", "This session is continued.", isCompactSummary=True))))


def test_calls_and_results_are_paired() -> None:
    """A call without an answer gets an empty one, an answer without its call is the user's text, an id is used once."""
    messages = messages_of(
        _lines(
            _said("user", _result("before", "orphan")),
            _said("assistant", _call("c1"), _call("c2")),
            _said("user", _result("c1", "first"), _result("c1", "again")),
            _said("assistant", _call("c1")),
            _said("assistant", _text("on")),
        )
    )

    blocks = [block for message in messages for block in message["content"]]
    assert [block["id"] for block in blocks if block["type"] == "tool_use"] == ["c1", "c2"]
    assert [(block["tool_use_id"], block["content"]) for block in blocks if block["type"] == "tool_result"] == [
        ("c1", "first"),
        ("c2", ""),
    ]
    assert blocks[0] == _text("orphan")


def test_a_repeated_record_counts_once() -> None:
    """A resumed session copies the records of the one before."""
    record = _said("user", "once", uuid="u1")

    assert messages_of(_lines(record, record)) == [{"role": "user", "content": [_text("once")]}]


@pytest.mark.parametrize("is_twice", [False, True])
def test_a_prompt_typed_while_the_agent_works_comes_once(*, is_twice: bool) -> None:
    attachment = {"type": "attachment", "attachment": {"type": "queued_command", "commandMode": "prompt", "prompt": "also test it"}}
    queue = [
        {"type": "queue-operation", "operation": "enqueue", "content": "also test it"},
        {"type": "queue-operation", "operation": "remove"},
    ]

    messages = messages_of(_lines(*queue, *([attachment] if is_twice else [])))

    assert messages == [{"role": "user", "content": [_text("also test it")]}]


def test_an_image_leaves_a_mark_and_a_failure_is_told() -> None:
    failed = _result("c1", [_text("Exit code 1"), {"type": "image", "source": {}}]) | {"is_error": True}

    block = messages_of(_lines(_said("assistant", _call("c1")), _said("user", failed)))[1]["content"][0]

    assert block == {"type": "tool_result", "tool_use_id": "c1", "content": f"Exit code 1\n{IMAGE}", "is_error": True}


def test_a_codex_rollout_is_read_as_the_same_messages() -> None:
    """Its shell is called Bash, which rivals know; older releases wrap outputs."""

    def item(**fields: object) -> dict[str, Any]:
        return {"type": "response_item", "payload": fields}

    messages = messages_of(
        _lines(
            {"type": "session_meta", "payload": {"id": "s", "cwd": "/repo"}},
            item(type="message", role="developer", content=[{"type": "input_text", "text": "rules"}]),
            item(type="message", role="user", content=[{"type": "input_text", "text": "<environment_context>x</environment_context>"}]),
            item(type="message", role="user", content=[{"type": "input_text", "text": "count the lines"}]),
            item(type="reasoning", summary=[{"type": "summary_text", "text": "hm"}]),
            item(type="function_call", name="shell", call_id="a", arguments='{"command": ["bash", "-lc", "wc -l a.py"]}'),
            {"type": "event_msg", "payload": {"type": "agent_message", "message": "Three."}},
            item(type="function_call_output", call_id="a", output='{"output": "3 a.py", "metadata": {"exit_code": 0}}'),
            item(type="custom_tool_call", name="apply_patch", call_id="b", input="*** Begin Patch"),
            item(type="custom_tool_call_output", call_id="b", output="Success"),
            item(type="message", role="assistant", content=[{"type": "output_text", "text": "Three."}]),
        )
    )

    assert messages == [
        {"role": "user", "content": [_text("count the lines")]},
        {"role": "assistant", "content": [_call("a", command="wc -l a.py")]},
        {"role": "user", "content": [_result("a", "3 a.py")]},
        {"role": "assistant", "content": [_call("b", "apply_patch", input="*** Begin Patch")]},
        {"role": "user", "content": [_result("b", "Success")]},
        {"role": "assistant", "content": [_text("Three.")]},
    ]


def test_nothing_said_is_no_message() -> None:
    assert messages_of([]) == []
    assert messages_of(_lines({"type": "summary", "summary": "A title", "leafUuid": "u"})) == []


def test_arguments_stand_in_the_window_line_by_line() -> None:
    """An edit's text is evidence like any other, so it is not escaped as JSON."""
    edits = [{"old_string": "a = 1\nb = 2", "new_string": "a = 2"}]

    text = text_of(pieces_of([{"role": "assistant", "content": [_call("c", "MultiEdit", edits=edits, dry=False)]}]))

    assert text == "[call MultiEdit]\nedits.0.old_string:\na = 1\nb = 2\nedits.0.new_string: a = 2\ndry: false"


@pytest.mark.parametrize("budget_tokens", [0, 1, 2, 5, 8, 11, 14, 40])
@pytest.mark.parametrize("pinned", [0, 1])
def test_the_newest_part_is_whole_lines_within_the_budget(budget_tokens: int, pinned: int) -> None:
    pieces = ["state of it", "oldest\nline", "middle\nlines\nof it", "newest"]

    text = newest(pieces, budget_tokens, pinned)

    assert tokens_of(text) <= budget_tokens
    rest = text.removeprefix(pieces[0]) if pinned else text
    if tokens_of(text_of(pieces)) <= budget_tokens:
        assert text == text_of(pieces)
    elif budget_tokens >= 8:
        assert rest.endswith("newest")
        assert {line for line in rest.split("\n") if line} <= {line for piece in pieces for line in piece.split("\n")}
        assert text.startswith(pieces[0]) == bool(pinned)


def test_the_greatest_setting_that_fits_is_found() -> None:
    pieces = ["1234"] * 9

    assert most(0, 9, lambda kept: is_within(pieces[:kept], 4)) == 3
    assert most(0, 9, lambda kept: is_within(pieces[:kept], 0)) == 0
    assert most(1, 9, lambda kept: is_within(pieces[:kept], 0)) is None


class _Tail(Rival):
    """A rival in one file: keeps the end of what was said, tells its environment, and dies when told."""

    name, version, packages, worker = "tail", "1", (), "tail.py"
    script: Path

    def command(self) -> list[str]:
        return [sys.executable, str(self.script)]


@pytest.fixture
def tail(tmp_path: Path) -> Rival:
    rival = _Tail()
    rival.script = tmp_path / "tail.py"
    rival.script.write_text(
        f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2] / "bench" / "hindsight" / "rivals" / "workers")!r})
from window import newest, pieces_of, serve

def compress(messages, budget_tokens, query):
    print("a word on standard output")
    if query == "die":
        sys.exit("no more")
    if query == "too much":
        return "x" * 8 * budget_tokens, 0.0, ""
    if query == "environment":
        return "\\n".join([os.environ["HTTPS_PROXY"], os.environ["HOME"], *os.listdir(os.environ["HOME"])]), 0.0, ""
    return newest(pieces_of(messages), budget_tokens), 1.5, "newest"

serve(compress)
""",
        encoding="utf-8",
    )
    return rival


TALK = [{"role": "user", "content": [_text("héllo\nworld")]}]


def test_a_rival_answers_with_a_window(tail: Rival) -> None:
    with tail:
        kept = tail.keep(TALK, 100)
        assert (kept.text, kept.tokens, kept.ms, kept.note) == ("[user]\nhéllo\nworld", 5, 1.5, "newest")
        assert tail.keep(TALK, 2).text == "world"


def test_a_window_above_the_budget_is_refused(tail: Rival) -> None:
    with tail, pytest.raises(RivalFailed, match="20 tokens, asked for 10"):
        tail.keep(TALK, 10, "too much")


def test_a_rival_that_ends_is_quoted_and_starts_anew(tail: Rival) -> None:
    with tail:
        with pytest.raises(RivalFailed, match="no more"):
            tail.keep(TALK, 10, "die")
        assert tail.keep(TALK, 100).note == "newest"


def test_a_rival_has_an_empty_home_and_no_way_out(tail: Rival) -> None:
    with tail:
        proxy, home, *files = tail.keep(TALK, 1_000, "environment").text.split("\n")

    assert proxy == NOWHERE
    assert files == ["said.txt"]
    assert not Path(home).exists()


def test_every_rival_has_its_worker_and_a_pinned_version() -> None:
    for rival in RIVALS:
        assert (Path(__file__).resolve().parents[2] / "bench" / "hindsight" / "rivals" / "workers" / rival.worker).is_file()
        assert any(package.endswith(f"=={rival.version}") for package in rival.packages)
