"""The gateway and a self-hosted model's states: a session begins with what an earlier one evaluated, and every fault is a plain request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clew.adapters.gateway.prefix_states import PrefixStates, find_key
from clew.adapters.hooks import create_daemon_context
from clew.enrich.models.states import FOLDER, ModelStates
from clew.sessions.context import DaemonContext
from clew.settings import load_settings
from tests.adapters.test_gateway import asked
from tests.enrich.llama import Llama, served

RULES = "Each change has a test. " * 100


@pytest.fixture
def context(tmp_path: Path) -> Iterator[DaemonContext]:
    (tmp_path / "home" / FOLDER).mkdir(parents=True)
    made = create_daemon_context(replace(load_settings({}), data_dir=tmp_path / "home"))
    yield made
    made.close()


@pytest.fixture
def llama(context: DaemonContext) -> Iterator[Llama]:
    with served(context.settings.data_dir / FOLDER) as running:
        yield running


def first_request(words: str) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 1, "system": RULES, "messages": [{"role": "user", "content": words}]}).encode()


def test_a_second_session_evaluates_what_is_its_own(context: DaemonContext, llama: Llama) -> None:
    first = asked(context, llama.url, first_request("Mend the parser."))
    llama.slot, llama.evaluated = [], []
    second = asked(context, llama.url, first_request("Why is it slow?"))

    assert first[0] == second[0] == 200
    [state] = ModelStates(context.settings.data_dir, 1).states()
    assert llama.evaluated == [len(f"<system>{RULES}<user>Why is it slow?<assistant>") - len(state.tokens)]


def test_chat_completions_are_prepared_as_well(context: DaemonContext, llama: Llama) -> None:
    messages = [{"role": "system", "content": RULES}, {"role": "user", "content": "Go."}]
    status, _, _ = asked(context, llama.url, json.dumps({"messages": messages}).encode(), path="/v1/chat/completions")

    assert status == 200
    assert len(ModelStates(context.settings.data_dir, 1).states()) == 1


def test_a_later_request_passes_as_it_is(context: DaemonContext, llama: Llama) -> None:
    said = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    status, _, _ = asked(context, llama.url, json.dumps({"system": RULES, "messages": said}).encode())

    assert status == 200
    assert ModelStates(context.settings.data_dir, 1).states() == []


def test_a_server_that_is_none_of_llama_cpp_is_asked_once(context: DaemonContext, llama: Llama) -> None:
    llama.is_llama = False
    states = PrefixStates(context)
    for _ in range(3):
        if states.is_for(llama.url, "/v1/messages"):
            states.prepare(llama.url, first_request("Go."), key="")

    assert llama.asked == ["/props"]


def test_a_state_that_is_not_as_good_is_not_used_and_the_request_is_answered(context: DaemonContext, llama: Llama) -> None:
    llama.forgets = True
    status, _, _ = asked(context, llama.url, first_request("Go."))

    assert status == 200
    assert llama.evaluated[-1] == len(f"<system>{RULES}<user>Go.<assistant>")
    assert ModelStates(context.settings.data_dir, 1).states() == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"messages": 3}',
        b'{"messages": [3]}',
        b'{"messages": [{"role": "user"}]}',
        b'{"system": [1], "messages": []}',
        b"\xff",
    ],
)
def test_a_strange_body_is_left_to_the_server(context: DaemonContext, llama: Llama, body: bytes) -> None:
    assert PrefixStates(context).prepare(llama.url, body, key="") is None
    assert "/completion" not in llama.asked


def test_hosted_models_and_other_paths_are_never_asked(context: DaemonContext) -> None:
    states = PrefixStates(context)
    assert not states.is_for("https://api.anthropic.com", "/v1/messages")
    assert not states.is_for("http://10.0.0.7:8080", "/v1/messages")
    assert not states.is_for("http://127.0.0.1:8080", "/v1/models")
    assert states.is_for("http://127.0.0.1:8080", "/v1/messages")
    (context.settings.data_dir / FOLDER).rmdir()
    assert not states.is_for("http://127.0.0.1:8080", "/v1/messages")
    (context.settings.data_dir / FOLDER).mkdir()
    context.settings = replace(context.settings, model_states_mb=0)
    assert not states.is_for("http://127.0.0.1:8080", "/v1/messages")


def test_the_clients_key_goes_along() -> None:
    assert find_key({b"authorization": b"Bearer abc"}) == find_key({b"x-api-key": b"abc"}) == "abc"
    assert find_key({}) == ""
