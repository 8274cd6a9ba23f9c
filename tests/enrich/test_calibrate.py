"""A repository grades its own retriever: through the engine, on small real histories made in one go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from clew.engine import Engine
from clew.enrich import history
from clew.enrich.past import Past
from clew.enrich.replay import question_of, replay
from clew.retrieval import calibration
from clew.retrieval.fit import Labelled, fit, fitted, likelihood
from clew.retrieval.weights import CHANNELS, DEFAULT
from clew.settings import Settings, workspace_of
from clew.store.sqlite import SqliteStore

THINGS = ("anchor", "bowline", "capstan", "dinghy", "ensign", "fender", "galley", "halyard", "jetty", "keel", "lantern")
SPOKEN = "def {thing}():\n    '''The {thing} of the ship: {thing}, {thing}.'''\n    return '{thing}'\n"
WORKED = "def step{number}(state):\n    value = 'uses the {thing}'\n" + "    state.append(value)\n" * 20 + "    return {round}, state\n"
Commit = tuple[str, Mapping[str, str]]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    values = Settings(tmp_path / "home", jobs=1)
    with closing(SqliteStore(values.database)) as store:
        yield Engine(store, values)


def made(root: Path, commits: Sequence[Commit]) -> list[str]:
    """A git work tree with these commits, each on the one before; returns their hashes."""
    root.mkdir()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str, given: bytes = b"") -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], env=environment, input=given, capture_output=True, check=True
        ).stdout.decode()

    git("init", "-q", "--initial-branch=main")
    stream: list[bytes] = []
    for at, (message, files) in enumerate(commits):
        said = message.encode()
        stream.append(
            b"commit refs/heads/main\ncommitter n <n@example.org> %d +0000\ndata %d\n%s\n" % (1_700_000_000 + at * 60, len(said), said)
        )
        for name, text in files.items():
            data = text.encode()
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data))
    git("fast-import", "--quiet", given=b"".join(stream))
    git("reset", "-q", "--hard", "main")
    return git("rev-list", "--reverse", "main").split()


def ship(commits: int, *, turns_at: int | None = None) -> list[Commit]:
    """Things that are spoken of in one file and worked on in another: the work is what changes, from `turns_at` on what is spoken."""
    first = {f"said/{thing}.py": SPOKEN.format(thing=thing) for thing in THINGS}
    first |= {f"work/part{number}.py": WORKED.format(thing=thing, number=number, round=0) for number, thing in enumerate(THINGS)}
    done: list[Commit] = [("Build the whole ship", first)]
    for at in range(commits):
        number, turn = at % len(THINGS), at // len(THINGS) + 1
        thing = THINGS[number]
        if turns_at is not None and at >= turns_at:
            done.append((f"Say more of the {thing}, time {at}", {f"said/{thing}.py": SPOKEN.format(thing=thing) + f"    # {at}\n"}))
        else:
            text = WORKED.format(thing=thing, number=number, round=turn)
            done.append((f"Make the {thing} faster, time {at}", {f"work/part{number}.py": text}))
    return done


def test_weights_that_do_better_are_kept_named_used_and_forgotten_again(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "ship"
    made(root, ship(48))
    engine.index(root)
    question = "Make the keel faster"

    def asked() -> list[tuple[str, float]]:
        packet = engine.retrieve(root, question, budget_tokens=8192, tokenizer="chars4")
        return [(entry.path, entry.weight) for entry in packet.entries]

    before = asked()
    tried = engine.calibrate(root, commits=120, dry_run=True)
    assert engine.status(root).calibration is None
    found = engine.calibrate(root, commits=120)

    assert found.note is not None
    assert found.weights is not None, found.reason
    assert found.weights == tried.weights
    assert found.note.fitted_to + found.note.held_out == found.note.commits == 48
    assert found.note.likelihood_fitted > found.note.likelihood_default
    assert all(measure.gain >= 0 for measure in found.note.measures)
    assert engine.status(root).calibration == found.note
    assert asked() != before
    assert engine.reset_calibration(root)
    assert engine.status(root).calibration is None
    assert asked() == before


def test_what_the_newest_commits_contradict_is_not_kept(engine: Engine, tmp_path: Path) -> None:
    """The habits of the older commits are fitted to; the newest have others, so the default stays and an earlier calibration goes."""
    root = tmp_path / "ship"
    made(root, ship(48, turns_at=33))
    key, _ = workspace_of(root)
    engine.index(root)
    earlier = calibration.Note(calibration.maker(), "", 1, 1, 1, 1.0, dict.fromkeys(CHANNELS, 1.0), [], 0.0, 0.0)
    engine.store.apply(key, [calibration.kept(earlier)])

    found = engine.calibrate(root, commits=120)

    assert found.note is not None
    assert found.weights is None
    assert found.reason
    assert engine.store.source(key, calibration.CALIBRATION) is None


def test_few_commits_grade_the_default_and_fit_nothing(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "ship"
    made(root, ship(5))

    found = engine.calibrate(root, commits=120)

    assert found.note is not None
    assert (found.note.commits, found.note.fitted_to, found.weights) == (5, 0, None)
    assert "5 commits can be asked" in found.reason
    assert [measure.gain for measure in found.note.measures] == [0.0] * 3


def test_without_history_there_is_nothing_to_ask(engine: Engine, tmp_path: Path) -> None:
    assert engine.calibrate(tmp_path, commits=120).reason == "there is no git history here"


def test_a_tree_of_the_past_is_what_stood_there_and_nothing_later(tmp_path: Path) -> None:
    """Going on from commit to commit, or back, gives what reading each tree anew gives."""
    root = tmp_path / "ship"
    commits = made(root, [*ship(3), ("Add a rudder", {"work/rudder.py": "def rudder():\n    return 1\n"})])
    anew = []
    for commit in commits:
        past = Past(root)
        past.stand_at(commit)
        anew.append(contents(past))
    walking = Past(root)
    found = {}
    for at in (0, 1, 4, 2, 3):
        walking.stand_at(commits[at])
        found[at] = contents(walking)

    assert [found[at] for at in range(5)] == anew
    assert not any("rudder" in line for line in anew[3])
    assert any("rudder" in line for line in anew[4])


def contents(past: Past) -> list[str]:
    index = past.index("")
    ids = sorted(index.id_of(int(doc)) for doc in np.flatnonzero(index.alive))
    return sorted(f"{record.path} {record.name} {past.blob('', record.whole.blob)!r}" for record in past.records("", ids))


def test_a_commit_is_asked_with_the_lines_of_the_tree_before_it(tmp_path: Path) -> None:
    root = tmp_path / "ship"
    code = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
    commits = made(
        root,
        [
            ("Count from one to two", {"count.py": code, "test_count.py": "", "a.md": ""}),
            ("Count two as three", {"count.py": code.replace("return 2", "return 3")}),
            ("wip", {"count.py": code}),
            ("Test the counting as well", {"test_count.py": "def test_one():\n    pass\n"}),
            ("Explain how counting works", {"a.md": "# Counting\n"}),
            ("Add another number file", {"more.py": code}),
            ("Count two as three", {"count.py": code.replace("return 2", "return 4")}),
            ("Put a line in two", {"count.py": code.replace("return 2", "x = 4\n    return x")}),
        ],
    )

    told = replay(root, commits[-1], 10)

    assert [(one.id, one.parent, one.question) for one in told.asked] == [
        (commits[1], commits[0], "Count two as three"),
        (commits[7], commits[6], "Put a line in two"),
    ]
    assert told.asked[0].changed == {"count.py": ((6, 6),)}


@pytest.mark.parametrize(
    ("message", "question"),
    [
        ("Fix the parser of dates (#123)\n\nSigned-off-by: A <a@example.org>\n", "Fix the parser of dates"),
        (
            "Read empty files too\n\nThey were passed over.\n\nFixes #12\nCo-authored-by: B <b@example.org>",
            "Read empty files too\n\nThey were passed over.",
        ),
        ("Read empty files\n\n<!-- say why -->\n- [x] I have read the rules\n", "Read empty files"),
        ("Bump version to 3.1", ""),
        ("v3.1.0", ""),
        ("wip on the parser thing", ""),
        ('Revert "Read empty files too"', ""),
        ("fix typo", ""),
        ("", ""),
    ],
)
def test_a_question_is_what_the_author_says_and_no_trailer(message: str, question: str) -> None:
    assert question_of(message) == question


def test_a_commit_is_not_known_before_it_was_made(tmp_path: Path) -> None:
    root = tmp_path / "ship"
    commits = made(root, ship(3))
    reads = history.read_commits(root, commits)
    past = Past(root)
    past.stand_at(commits[1])
    past.tell([reads[commits[1]], reads[commits[0]]])
    known = past.index("").among("history:")

    past.tell([reads[commits[2]]])

    assert known.count == 2
    assert past.index("").among("history:").count == 3


# -- the arithmetic -----------------------------------------------------------------------------


def drawn(count: int, seed: int, telling: str) -> list[Labelled]:
    """Questions of 20 candidates in which one channel tells the changed one, and the others are noise."""
    random = np.random.default_rng(seed)
    questions: list[Labelled] = []
    for _ in range(count):
        values = random.random((20, len(CHANNELS)), np.float32)
        values[:, CHANNELS.index("vector")] = 0
        gold = np.zeros(20, np.bool_)
        gold[int(values[:, CHANNELS.index(telling)].argmax())] = True
        questions.append(Labelled(values, gold, gold))
    return questions


def test_a_channel_that_tells_counts_more_and_a_silent_one_as_before() -> None:
    questions = drawn(60, 1, "path")

    weights, _ = fitted(questions)

    assert weights.path > DEFAULT.path + 0.5
    assert weights.vector == DEFAULT.vector
    assert likelihood(questions, weights).mean() > likelihood(questions, DEFAULT).mean()
    assert fitted(questions) == (weights, fitted(questions)[1])


def test_a_stronger_pull_moves_less() -> None:
    questions = drawn(30, 2, "path")

    def moved(pull: float) -> float:
        weights = fit(questions, pull)
        return sum((getattr(weights, name) - getattr(DEFAULT, name)) ** 2 for name in CHANNELS)

    assert moved(0.01) > moved(0.3) > moved(10.0) > 0


def test_a_note_of_another_release_or_with_other_channels_is_passed_over() -> None:
    note = calibration.Note(calibration.maker(), "c", 50, 35, 15, 0.1, dict.fromkeys(CHANNELS, 2.0), [], -2.0, -1.0)
    state = calibration.kept(note).state
    assert state is not None
    assert calibration.weights_in(state).word == 2.0

    for other in (
        msgspec.structs.replace(note, made_by="calibrate/0"),
        msgspec.structs.replace(note, weights={**note.weights, "smell": 1.0}),
        msgspec.structs.replace(note, weights={"word": 1.0}),
    ):
        assert calibration.weights_in(calibration.kept(other).state) == DEFAULT
    assert calibration.weights_in(replace(state, note="{}")) == DEFAULT
    assert calibration.weights_in(replace(state, note="not JSON")) == DEFAULT
    assert calibration.weights_in(None) == DEFAULT
