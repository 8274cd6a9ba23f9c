"""Training of the ranking weights: a tree of the past holds what stood there and nothing later; a channel that tells counts more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clew.enrich import history
from clew.ranking.weights import CHANNELS, DEFAULT
from train.weights.fit import Labelled, fit, likelihood
from train.weights.past import Past

THINGS = ("anchor", "bowline", "capstan", "dinghy", "ensign", "fender", "galley", "halyard", "jetty", "keel", "lantern")
SPOKEN = "def {thing}():\n    '''The {thing} of the ship: {thing}, {thing}.'''\n    return '{thing}'\n"
WORKED = "def step{number}(state):\n    value = 'uses the {thing}'\n" + "    state.append(value)\n" * 20 + "    return {round}, state\n"
Commit = tuple[str, Mapping[str, str]]


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


def ship(commits: int) -> list[Commit]:
    """Things that are spoken of in one file and worked on in another: the work is what changes."""
    first = {f"said/{thing}.py": SPOKEN.format(thing=thing) for thing in THINGS}
    first |= {f"work/part{number}.py": WORKED.format(thing=thing, number=number, round=0) for number, thing in enumerate(THINGS)}
    done: list[Commit] = [("Build the whole ship", first)]
    for at in range(commits):
        number, turn = at % len(THINGS), at // len(THINGS) + 1
        thing = THINGS[number]
        text = WORKED.format(thing=thing, number=number, round=turn)
        done.append((f"Make the {thing} faster, time {at}", {f"work/part{number}.py": text}))
    return done


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
    index = past.documents()
    return sorted(f"{index.id_of(doc)} {index.path_of(doc)}" for doc in np.flatnonzero(index.alive).tolist())


def test_a_commit_is_not_known_before_it_was_made(tmp_path: Path) -> None:
    root = tmp_path / "ship"
    commits = made(root, ship(3))
    reads = history.load_commits(root, commits)
    past = Past(root)
    past.stand_at(commits[1])
    past.tell([reads[commits[1]], reads[commits[0]]])
    known = past.documents().search_scope("history:")

    past.tell([reads[commits[2]]])

    assert known.count == 2
    assert past.documents().search_scope("history:").count == 3


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

    weights = fit(questions, 0.1)

    assert weights.path > DEFAULT.path + 0.5
    assert weights.vector == DEFAULT.vector
    assert likelihood(questions, weights).mean() > likelihood(questions, DEFAULT).mean()
    assert fit(questions, 0.1) == weights


def test_a_stronger_penalty_moves_less() -> None:
    questions = drawn(30, 2, "path")

    def moved(l2_penalty: float) -> float:
        weights = fit(questions, l2_penalty)
        return sum((getattr(weights, name) - getattr(DEFAULT, name)) ** 2 for name in CHANNELS)

    assert moved(0.01) > moved(0.3) > moved(10.0) > 0
