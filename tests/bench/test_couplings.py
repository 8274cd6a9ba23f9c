"""Couplings between functions: what is a later pair, who is a candidate, and what is counted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.couplings.judge import Question, ask, judge, log_odds
from bench.couplings.measure import Repository, arms, choose, fit, interval, measure, read_repository
from bench.couplings.replay import Function, Replayed, replay
from bench.couplings.scan import scan
from clew.enrich.function_pairs import FEATURES, Candidates, FunctionText, PairWeights, find_candidates
from clew.enrich.models import ModelAnswer, ModelRequest

TEXTS = {
    "net/read.py": ("read_frame", "def read_frame(stream):\n    header = stream.read(FRAME_HEADER)\n    return decode_frame(header)\n"),
    "net/write.py": (
        "write_frame",
        "def write_frame(stream, frame):\n    stream.write(FRAME_HEADER)\n    stream.write(encode_frame(frame))\n",
    ),
    "shop/price.py": ("price_of", "def price_of(basket):\n    return sum(item.price for item in basket)\n"),
    "shop/tax.py": ("tax_of", "def tax_of(basket):\n    return price_of(basket) * RATE\n"),
}


def replayed(**more: object) -> Replayed:
    functions = [Function(path, name, text, is_test=False) for path, (name, text) in TEXTS.items()]
    values = {"linked": [(2, 3)], "together": [], "past": [], "earlier": [], "later": [[0, 1], [2, 3], [0, 2]], **more}
    return Replayed("o/n", "c", functions, **values)  # pyright: ignore[reportArgumentType]


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@example.invalid", *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "change")


def test_later_pairs_are_those_that_nothing_linked_before() -> None:
    assert set(read_repository(replayed()).later) == {(0, 1), (0, 2)}
    assert set(read_repository(replayed(earlier=[[0, 1]])).later) == {(0, 2)}
    assert set(read_repository(replayed(together=[("net/read.py", "net/write.py")])).later) == {(0, 2)}
    assert read_repository(replayed(), changed_max=1).later == {}


def test_candidates_share_words_and_stand_in_other_files_without_a_link() -> None:
    functions = [FunctionText(path, name, text) for path, (name, text) in TEXTS.items()]
    found = find_candidates(functions, linked={(2, 3)}, together=[], commits=[["net/read.py", "shop/tax.py"]])
    pairs = {tuple(pair) for pair in found.pairs.tolist()}

    assert {(0, 1), (1, 0)} <= pairs
    assert not {(2, 3), (3, 2)} & pairs
    assert not any(one == other for one, other in pairs)
    assert found.rows.shape == (len(pairs), len(FEATURES))
    assert find_candidates([], linked=[], together=[], commits=[]).rows.shape == (0, len(FEATURES))


def test_the_same_input_gives_the_same_candidates() -> None:
    one, other = read_repository(replayed()).candidates, read_repository(replayed()).candidates

    assert np.array_equal(one.pairs, other.pairs)
    assert np.array_equal(one.rows, other.rows)


def test_a_fit_prefers_what_came_true_and_an_oracle_finds_all_that_can_be_found() -> None:
    rng = np.random.default_rng(3)
    pairs = np.array([(one, other) for one in range(60) for other in rng.choice(60, 8, replace=False).tolist() if one != other])
    rows = rng.random((len(pairs), len(FEATURES)))
    later = {(min(pair), max(pair)): (at,) for at, pair in enumerate(map(tuple, pairs.tolist())) if rows[at, 2] > 0.8}
    made = Repository("o/n", 60, Candidates(pairs, rows), later, frozenset())
    weights = fit([made])
    fitted, by_chance, oracle = (measure(made, score, name) for name, score in
                                 (("fitted", arms(weights)["fitted"]), ("random", None), ("oracle", None)))  # fmt: skip

    assert weights.weights[2] > 3 * np.abs(np.delete(weights.weights, 2)).max()
    assert by_chance.hits < fitted.hits <= oracle.hits
    assert fitted.found <= later.keys()
    assert fitted.expected == pytest.approx(len(later) / (60 * 59 / 2) * fitted.chosen)
    low, high = interval([made], [fitted])
    assert 0 < low <= len(fitted.found) / len(later) <= high <= 1


def test_three_of_each_function_are_chosen_ties_by_number() -> None:
    pairs = np.array([(0, 5), (0, 3), (0, 4), (0, 2), (1, 9)])
    candidates = Candidates(pairs, np.zeros((5, len(FEATURES))))

    chosen = pairs[choose(candidates, PairWeights(0.0, np.zeros(len(FEATURES))).chances(candidates.rows))].tolist()

    assert chosen == [[0, 2], [0, 3], [0, 4], [1, 9]]


def test_a_replay_says_which_functions_later_commits_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    first = {path: text for path, (_, text) in TEXTS.items()}
    commit(tmp_path, first)
    commit(tmp_path, {"net/read.py": first["net/read.py"].replace("header)", "header, 1)")})
    commit(tmp_path, {"net/read.py": first["net/read.py"] + "\n", "shop/price.py": first["shop/price.py"].replace("sum", "total")})
    commit(tmp_path, {"shop/tax.py": first["shop/tax.py"].replace("    return", "    return  "), "shop/new.py": "def new():\n    pass\n"})

    done = replay(tmp_path / ".git", "o/n", later=2, earlier=5)
    names = [each.name for each in done.functions]

    assert sorted(names) == ["price_of", "read_frame", "tax_of", "write_frame"]
    assert [[names[number] for number in changed] for changed in done.later] == [sorted(["read_frame", "price_of"], key=names.index)]
    assert [[names[number] for number in changed] for changed in done.earlier] == [["read_frame"]]


def test_a_scan_of_all_functions_finds_all_and_unlikely_pairs_are_left_out() -> None:
    one = replayed()
    told = scan([(one, read_repository(one))], PairWeights(-3.0, np.ones(len(FEATURES)) * 0.1))

    assert all(set(shares) == {0.1, 0.25, 0.5} for shares in told["of_the_whole_scan"].values())
    assert told["least_chance"][0.0]["edges"] >= told["least_chance"][0.02]["edges"] > 0
    assert told["steps"][0]["recall"] > 0
    assert 0 <= told["lasting"] <= 1


def questions_of(count: int) -> list[Question]:
    return [Question((f"a{at}", f"b{at}"), (True, False), (0.1, 0.2)) for at in range(count)]


class Scripted:
    """A model that says yes to texts that begin with an a, and counts what it is asked."""

    name = place = "scripted"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, request: ModelRequest) -> ModelAnswer:
        self.asked.append(request.text)
        odds = -0.1 if request.text.startswith("a") else -2.0
        return ModelAnswer("yes", choices=(("Yes", odds), (" no", -1.0), ("maybe", -3.0)))

    def close(self) -> None:
        pass


def test_a_model_is_asked_each_pair_once_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    model, work = Scripted(), tmp_path / "answers.jsonl"
    assert ask(model, questions_of(3), work, 0) == []
    first = ask(model, questions_of(2), work, 60)
    (work).write_bytes(work.read_bytes() + b'{"key": "cut sho')
    again = ask(model, questions_of(3), work, 60)

    assert len(model.asked) == len(set(model.asked)) == 6
    assert again[:2] == first


def test_the_order_within_a_function_is_judged_by_what_came_true(tmp_path: Path) -> None:
    told = judge(questions_of(4), ask(Scripted(), questions_of(4), tmp_path / "answers.jsonl", 60))

    assert (told["functions"], told["pairs"]) == (4, 8)
    assert told["model"] == [1.0, 1.0, 1.0]
    assert told["fitted"] == [0.0, 0.0, 0.0]
    assert judge([], [])["functions"] == 0


def test_a_word_that_is_not_among_the_alternatives_counts_as_the_least_of_them() -> None:
    assert log_odds([("yes", -0.5), ("sure", -4.0)]) == pytest.approx(3.5)
    assert log_odds([]) == 0
