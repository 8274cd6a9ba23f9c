"""The queue of background work, over each store: what is queued is done once, and a worker that is gone holds nothing."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clew.lifecycle.queue import (
    LEASE_NS,
    TRIES_MAX,
    Job,
    JobNote,
    JobStatus,
    claim,
    describe_queue,
    enqueue,
    fail,
    finish,
    give_back,
    list_jobs,
    list_open_jobs,
)
from clew.store.memory import MemoryStore
from clew.store.ports import Writer
from clew.store.sqlite import SqliteStore

SPACE = "repository"
NOBODY = 2**22 + 1  # no process has a number so high


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    opened = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "clew.db")
    opened.open_workspace(SPACE, "/repository")
    yield opened
    opened.close()


def job(key: str, digest: str = "1", priority: float = 0.0) -> Job:
    return Job("judge", key, digest, 100, note=JobNote(priority, 10))


def only(store: Writer) -> Job:
    [found] = list_jobs(store, SPACE)
    return found


def test_the_most_wanted_job_comes_first_and_ties_by_name(store: Writer) -> None:
    enqueue(store, SPACE, [job("b"), job("a"), job("c", priority=1.0)])

    assert [each.key for _, each in list_open_jobs(store)] == ["c", "a", "b"]


def test_what_was_done_is_queued_again_only_when_its_input_changes(store: Writer) -> None:
    assert enqueue(store, SPACE, [job("a")]) == 1
    mine = claim(store, SPACE, only(store), 0)
    assert mine is not None
    assert finish(store, SPACE, mine, 5, model="small")

    assert enqueue(store, SPACE, [job("a")]) == 0
    assert only(store).status == JobStatus.DONE
    assert enqueue(store, SPACE, [job("a", "2")]) == 1
    assert only(store).status == JobStatus.QUEUED


def test_one_of_two_workers_gets_a_job(store: Writer) -> None:
    enqueue(store, SPACE, [job("a")])
    seen = only(store)

    assert claim(store, SPACE, seen, 0) is not None
    assert claim(store, SPACE, seen, 0) is None
    assert claim(store, SPACE, only(store), LEASE_NS - 1) is None


@pytest.mark.parametrize(("owner", "now_ns"), [(f"{platform.node()}/{NOBODY}", 0), ("elsewhere/1", LEASE_NS)])
def test_a_claim_ends_with_its_process_and_elsewhere_with_its_lease(store: Writer, owner: str, now_ns: int) -> None:
    enqueue(store, SPACE, [job("a")])
    mine = claim(store, SPACE, only(store), 0)
    assert mine is not None
    store.replace_state(SPACE, mine.to_state(), theirs(mine, owner).to_state())

    assert claim(store, SPACE, only(store), now_ns) is not None


def theirs(mine: Job, owner: str) -> Job:
    return Job(mine.kind, mine.key, mine.digest, mine.read_tokens, mine.status, mine.at_ns, msgspec.structs.replace(mine.note, owner=owner))


def test_a_claim_on_another_machine_holds_until_its_lease_ends(store: Writer) -> None:
    enqueue(store, SPACE, [job("a")])
    mine = claim(store, SPACE, only(store), 0)
    assert mine is not None
    store.replace_state(SPACE, mine.to_state(), theirs(mine, "elsewhere/1").to_state())

    assert claim(store, SPACE, only(store), LEASE_NS - 1) is None


def test_what_a_worker_left_is_queued_with_what_is_left_of_it(store: Writer) -> None:
    enqueue(store, SPACE, [job("a")])
    mine = claim(store, SPACE, only(store), 0)
    assert mine is not None
    assert give_back(store, SPACE, mine, 1, left=(40, 4))

    [counted] = describe_queue(store)
    assert (counted.queued, counted.claimed, counted.read_tokens, counted.write_tokens) == (1, 0, 40, 4)
    assert not give_back(store, SPACE, mine, 1)


def test_a_job_that_fails_goes_behind_the_others_and_then_waits_for_a_person(store: Writer) -> None:
    enqueue(store, SPACE, [job("a"), job("b")])
    for _ in range(TRIES_MAX):
        held = next(each for each in list_jobs(store, SPACE) if each.key == "a")
        mine = claim(store, SPACE, held, 0)
        assert mine is not None
        fail(store, SPACE, mine, 1, "the server hung up")

    assert [each.key for _, each in list_open_jobs(store)] == ["b"]
    assert enqueue(store, SPACE, [job("a")]) == 0
    assert enqueue(store, SPACE, [job("a")], is_again=True) == 1


def test_a_queue_is_kept_by_an_export(store: Writer) -> None:
    enqueue(store, SPACE, [job("a")])
    other = MemoryStore()
    other.import_rows(store.export_rows([SPACE]))

    assert list_jobs(other, SPACE) == list_jobs(store, SPACE)
