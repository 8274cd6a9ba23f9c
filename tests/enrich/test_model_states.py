"""States of a self-hosted model: stored once, restored whole or not at all, within a budget, and out of the way of a purge."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.enrich.models.known import KnownModels
from clew.enrich.models.llama_server import LlamaServer, is_local
from clew.enrich.models.prefix import PreparedState, identify_model, prepare_request, to_chat
from clew.enrich.models.states import FOLDER, ModelIdentity, ModelStates
from clew.errors import ModelRefused, StateNotKept
from tests.enrich.llama import Llama, served

RULES = "Each change has a test. " * 100  # 2,400 bytes, which are tokens here


@pytest.fixture
def llama(tmp_path: Path) -> Iterator[Llama]:
    (tmp_path / FOLDER).mkdir(mode=0o700)
    with served(tmp_path / FOLDER) as running:
        yield running


@pytest.fixture
def states(tmp_path: Path) -> ModelStates:
    return ModelStates(tmp_path, 10**6)


def server_of(llama: Llama) -> LlamaServer:
    return LlamaServer(llama.url, timeout_s=10)


def identity_of(llama: Llama, home: Path) -> ModelIdentity:
    return identify_model(server_of(llama).props(), KnownModels(home))


def session(llama: Llama, states: ModelStates, words: str, *, system: str = RULES) -> PreparedState | None:
    """The first request of a session is prepared, and then answered; what is returned says how."""
    content = [{"type": "text", "text": "It is Monday."}, {"type": "text", "text": words}]
    body = {"system": system, "messages": [{"role": "user", "content": content}]}
    server = server_of(llama)
    prepared = prepare_request(server, server.props(), states, KnownModels(states.folder.parent), body)
    llama.evaluated.clear()
    llama.answer("/v1/messages", body)
    return prepared


def test_the_second_session_begins_with_the_state_of_the_first(llama: Llama, states: ModelStates) -> None:
    first = session(llama, states, "Mend the parser.")
    llama.slot = []  # the server was started again
    second = session(llama, states, "Why is the index slow?")

    assert first is not None
    assert second is not None
    assert (first.is_restored, second.is_restored) == (False, True)
    assert first.state.is_checked
    assert len(second.state.tokens) % 512 == 0
    rest = "<system><user>It is Monday.\nWhy is the index slow?<assistant>"
    assert llama.evaluated == [len(rest) + len(RULES) - len(second.state.tokens)]


def test_nothing_of_the_users_words_is_in_a_state(llama: Llama, states: ModelStates) -> None:
    session(llama, states, "My own words. " * 100)

    assert all(b"My own words" not in path.read_bytes() for path in states.folder.iterdir())
    [state] = states.states()
    assert bytes([*state.tokens, *state.tail]).endswith(b"It is Monday.\n")


def test_what_two_prompts_have_in_common_is_stored_when_it_is_known(llama: Llama, states: ModelStates) -> None:
    first = session(llama, states, "Go.", system=RULES + "The first packet. " * 60)
    second = session(llama, states, "Go.", system=RULES + "Another packet. " * 60)
    third = session(llama, states, "Go.", system=RULES + "A third packet. " * 60)

    assert first is not None
    assert second is not None
    assert third is not None
    assert len(second.state.tokens) == len(RULES) // 512 * 512 < len(first.state.tokens)
    assert (third.state.id, third.is_restored) == (second.state.id, True)


def test_a_state_from_which_the_model_writes_something_else_is_not_kept(llama: Llama, states: ModelStates) -> None:
    llama.forgets = True

    with pytest.raises(StateNotKept, match="writes something else") as told:
        session(llama, states, "Go.")

    assert told.value.is_lasting
    assert llama.slot == []
    assert list(states.folder.iterdir()) == []


def test_a_damaged_state_is_evaluated_again(llama: Llama, states: ModelStates) -> None:
    session(llama, states, "Go.")
    [path] = states.folder.glob("*.state")
    path.write_bytes(path.read_bytes()[:-9])
    again = session(llama, states, "Go.")

    assert again is not None
    assert not again.is_restored
    assert states.load(server_of(llama), again.state, slot=0)


def test_other_weights_builds_and_contexts_have_states_of_their_own(llama: Llama, states: ModelStates, tmp_path: Path) -> None:
    session(llama, states, "Go.")
    before = identity_of(llama, tmp_path)
    llama.model.write_bytes(b"other weights")
    other = session(llama, states, "Go.")

    assert identity_of(llama, tmp_path).sha256 != before.sha256
    assert other is not None
    assert not other.is_restored
    assert len({state.id for state in states.states()}) == 2


def test_the_least_recently_used_are_archived_beyond_the_budget_and_come_back(llama: Llama, states: ModelStates, tmp_path: Path) -> None:
    session(llama, states, "Go.", system="first " * 500)
    session(llama, states, "Go.", system="other " * 500)
    [size, _] = [state.size for state in states.states()]
    small = ModelStates(tmp_path, 2 * size + 10)
    session(llama, small, "Go.", system="third " * 500)

    assert [state.tier for state in small.states()] == ["hot", "hot", "archived"]
    assert len(list(small.folder.glob("*.state"))) == 2
    again = session(llama, small, "Go.", system="first " * 500)
    assert again is not None
    assert again.state.tier == "hot"


@pytest.mark.parametrize(("system", "bytes_max", "why"), [("short", 10**6, "as quickly"), (RULES, 1000, "raise the setting")])
def test_what_is_too_short_or_too_large_is_not_stored(llama: Llama, tmp_path: Path, system: str, bytes_max: int, why: str) -> None:
    states = ModelStates(tmp_path, bytes_max)
    with pytest.raises(StateNotKept, match=why) as told:
        session(llama, states, "Go.", system=system)

    assert not told.value.is_lasting
    assert list(states.folder.iterdir()) == []


def test_a_server_that_writes_elsewhere_is_told_of(llama: Llama, states: ModelStates, tmp_path: Path) -> None:
    llama.folder = tmp_path
    with pytest.raises(StateNotKept, match="--slot-save-path"):
        session(llama, states, "Go.")


def test_a_busy_server_and_a_later_request_are_left_alone(llama: Llama, states: ModelStates) -> None:
    llama.is_busy = True
    assert session(llama, states, "Go.") is None
    llama.is_busy = False
    asked = {"role": "assistant", "content": "Yes?"}
    assert to_chat({"messages": [{"role": "user", "content": "Go."}, asked, {"role": "user", "content": "On."}]}) is None
    assert to_chat({"messages": []}) is None


def test_another_server_is_refused_by_name(llama: Llama) -> None:
    llama.is_llama = False
    with pytest.raises(ModelRefused):
        server_of(llama).props()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080/v1", "http://[::1]:8080"])
def test_this_machine_is_known(url: str) -> None:
    assert is_local(url)


@pytest.mark.parametrize("url", ["https://api.anthropic.com", "http://192.168.1.7:8080", "http://localhost.example.org", "http://[::2]"])
def test_others_are_not(url: str) -> None:
    assert not is_local(url)


def test_states_are_this_users_alone_and_erased_whole(llama: Llama, tmp_path: Path) -> None:
    (tmp_path / FOLDER).rmdir()
    states = ModelStates(tmp_path, 10**6)
    states.make_folder()
    session(llama, states, "Go.")

    assert stat.S_IMODE(states.folder.stat().st_mode) == 0o700
    assert states.erase() == 1
    assert list(states.folder.iterdir()) == []
    assert states.erase() == 0


def test_idle_ones_are_archived(llama: Llama, states: ModelStates) -> None:
    prepared = session(llama, states, "Go.")
    assert prepared is not None

    assert states.archive_idle(used_before_ns=prepared.state.used_at_ns) == 0
    assert states.archive_idle(used_before_ns=prepared.state.used_at_ns + 1) == 1
    assert [state.tier for state in states.states()] == ["archived"]
