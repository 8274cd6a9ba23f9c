"""Who draws how a session is treated, and what stays written."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from clew.errors import UsageError
from clew.trial.log import NoTrial, TrialDamaged, TrialLog, draw
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import PARTS, Assumptions, check_parts, digest, find_detectable_saving, plan_cost_sessions, plan_sessions

REPO = "/home/dev/ledger"


def begin(folder: Path, *parts: str, sessions: int = 100) -> TrialLog:
    log = TrialLog(folder)
    log.start(parts or ("prompts",), sessions, margin=0.1, assumed=Assumptions())
    return log


def test_without_a_trial_nothing_is_withheld_and_nobody_is_drawn(tmp_path: Path) -> None:
    log = TrialLog(tmp_path)

    assert log.read_current() is None
    assert log.assign("a", REPO) is None
    assert log.find_withheld("a") == ()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NoTrial):
        log.stop()


def test_a_session_stays_as_it_was_drawn_also_for_another_process(tmp_path: Path) -> None:
    log = begin(tmp_path, *PARTS)
    drawn = {f"s{number}": log.assign(f"s{number}", REPO) for number in range(40)}

    again = TrialLog(tmp_path)
    assert {name: again.assign(name, "/elsewhere") for name in drawn} == drawn
    assert {name: again.find_withheld(name) for name in drawn} == {name: made.without for name, made in drawn.items() if made}


@pytest.mark.parametrize("parts", [("prompts",), ("prompts", "reduction"), tuple(PARTS)])
def test_each_repository_is_balanced_after_every_block(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """A repository that ends in the middle of a block misses balance by less than one block."""
    log = begin(tmp_path, *parts, sessions=1000)
    size = max(4, 2 ** len(parts))
    for repo in ("/a", "/b"):
        for number in range(2 * size):
            log.assign(f"{repo}{number}", repo)
    trial = log.read_current()
    assert trial is not None
    for repo in ("/a", "/b"):
        here = [each for each in trial.drawn if each.repository == repo]
        for block in (0, 1):
            cells = Counter(each.without for each in here if each.block == block)
            assert len(cells) == 2 ** len(parts)
            assert set(cells.values()) == {size // 2 ** len(parts)}


def test_the_draw_depends_on_the_secret_and_on_the_session_alone(tmp_path: Path) -> None:
    secrets = [bytes([number]) * 32 for number in range(64)]
    first = [draw(secret, "s", REPO, ("prompts",), [])[0] for secret in secrets]

    assert first == [draw(secret, "s", REPO, ("prompts",), [])[0] for secret in secrets]
    assert 16 <= sum(bool(without) for without in first) <= 48
    of_names = [draw(secrets[0], f"s{number}", REPO, ("prompts",), [])[0] for number in range(64)]
    assert 16 <= sum(bool(without) for without in of_names) <= 48


def test_a_resume_and_a_fork_are_treated_as_the_session_that_they_go_on(tmp_path: Path) -> None:
    log = begin(tmp_path, *PARTS)
    first = log.assign("a", REPO)
    fork = log.assign("b", REPO, origin="a")
    of_fork = log.assign("c", REPO, origin="b")
    trial = log.read_current()

    assert first is not None
    assert fork is not None
    assert of_fork is not None
    assert trial is not None
    assert first.without == fork.without == of_fork.without
    assert trial.list_sessions("a") == ["a", "b", "c"]
    assert [each.session for each in trial.drawn] == ["a"]
    assert log.assign("d", REPO, origin="unknown") is None


def test_no_more_sessions_are_drawn_than_planned_and_forks_go_on(tmp_path: Path) -> None:
    log = begin(tmp_path, sessions=4)
    for number in range(4):
        assert log.assign(f"s{number}", REPO)

    assert log.assign("s4", REPO) is None
    assert log.find_withheld("s4") == ()
    assert log.assign("s5", REPO, origin="s0")


def test_stopping_gives_every_session_all_of_clew_again(tmp_path: Path) -> None:
    log = begin(tmp_path, sessions=1000)
    names = [f"s{number}" for number in range(4)]
    assert any(made.without for name in names if (made := log.assign(name, REPO)))
    log.stop()

    assert all(log.find_withheld(name) == () for name in names)
    assert log.assign("new", REPO) is None
    second = log.start(("compaction",), 10, margin=0.1, assumed=Assumptions())
    assert second.plan.parts == ("compaction",)
    assert second.assigned == {}


def test_a_second_trial_does_not_begin_beside_the_first(tmp_path: Path) -> None:
    log = begin(tmp_path)
    with pytest.raises(UsageError, match="runs already"):
        log.start(("prompts",), 10, margin=0.1, assumed=Assumptions())


def test_the_plan_stands_in_the_first_line_and_its_digest_is_shown(tmp_path: Path) -> None:
    log = begin(tmp_path)
    trial = log.read_current()
    assert trial is not None
    first = trial.path.read_bytes().splitlines()[0]

    assert trial.plan_digest == digest(first)
    assert b'"margin":0.1' in first
    log.assign("a", REPO)
    later = log.read_current()
    assert later is not None
    assert later.plan_digest == trial.plan_digest
    assert b"secret" not in b"".join(line for line in later.path.read_bytes().splitlines()[1:])


def test_a_line_that_was_changed_or_taken_out_is_found(tmp_path: Path) -> None:
    log = begin(tmp_path)
    for number in range(6):
        log.assign(f"s{number}", REPO)
    trial = log.read_current()
    assert trial is not None
    lines = trial.path.read_bytes().splitlines(keepends=True)
    for damaged in (
        [*lines[:2], lines[2].replace(b"s1", b"x1"), *lines[3:]], [*lines[:2], *lines[3:]], lines[1:],
        [lines[0].replace(b"0.1", b"0.3"), *lines[1:]], [b"nothing\n"], [],
    ):  # fmt: skip
        trial.path.write_bytes(b"".join(damaged))
        with pytest.raises(TrialDamaged):
            TrialLog(tmp_path).read_current()


def test_a_line_that_a_killed_process_began_is_left_out(tmp_path: Path) -> None:
    log = begin(tmp_path)
    log.assign("a", REPO)
    trial = log.read_current()
    assert trial is not None
    with trial.path.open("ab") as stream:
        stream.write(b'{"before":"12')

    assert TrialLog(tmp_path).find_withheld("a") == trial.assigned["a"].without
    assert TrialLog(tmp_path).assign("b", REPO)
    again = TrialLog(tmp_path).read_current()
    assert again is not None
    assert list(again.assigned) == ["a", "b"]


def test_sessions_that_begin_at_the_same_time_are_all_written_and_balanced(tmp_path: Path) -> None:
    begin(tmp_path, sessions=1000)

    def join(number: int) -> None:
        log = TrialLog(tmp_path)
        for at in range(8):
            log.assign(f"s{number}-{at}", REPO)

    threads = [threading.Thread(target=join, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trial = TrialLog(tmp_path).read_current()

    assert trial is not None
    assert len(trial.drawn) == 32
    assert set(Counter((each.block, each.without) for each in trial.drawn).values()) == {2}


def test_an_outcome_is_written_once(tmp_path: Path) -> None:
    log = begin(tmp_path)
    log.assign("a", REPO)
    log.record_outcome(SessionOutcome("a", 5, is_completed=True))
    log.record_outcome(SessionOutcome("a", 9, is_completed=False))
    log.record_outcome(SessionOutcome("stranger", 9, is_completed=False))
    trial = log.read_current()

    assert trial is not None
    assert {name: outcome.is_completed for name, outcome in trial.outcomes.items()} == {"a": True}


def test_an_assignment_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    log = begin(tmp_path)
    trial = log.read_current()
    assert trial is not None
    (trial.path.parent / f"{trial.plan.id}.secret").unlink()

    with pytest.raises(OSError, match="secret"):
        log.assign("a", REPO)
    assert log.find_withheld("a") == ()


def test_the_files_are_the_users_alone(tmp_path: Path) -> None:
    begin(tmp_path)

    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "trials", *(tmp_path / "trials").iterdir()))


def test_parts_are_known_ones_in_their_order() -> None:
    assert check_parts(["compaction", "prompts", "prompts"]) == ("prompts", "compaction")
    for wrong in ([], ["prompt"], ["prompts", "mcp"]):
        with pytest.raises(UsageError, match="prompts, reduction, compaction"):
            check_parts(wrong)


def test_a_smaller_margin_and_more_parts_need_more_sessions() -> None:
    assumed = Assumptions(completed=0.8, judged=1.0, log_sd=1.0)

    # Blackwelder: 2·.8·.2·(1.96+.8416)²/.1² = 251.2 in each arm.
    assert plan_sessions(0.1, 1, assumed) == 2 * 252
    assert plan_sessions(0.05, 1, assumed) > plan_sessions(0.1, 1, assumed) < plan_sessions(0.1, 3, assumed)
    needed = plan_cost_sessions(0.2, 1, 1.0)
    assert abs(find_detectable_saving(needed, 1, 1.0) - 0.2) < 0.001
