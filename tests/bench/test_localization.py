"""The localization benchmark judges by what is shown, refuses what is too large, and asks nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.localization.__main__ import main
from bench.localization.arms.oracle import Oracle
from bench.localization.arms.random_symbols import RandomSymbols
from bench.localization.intervals import difference, estimate
from bench.localization.metrics import function_ranks, judge
from bench.localization.packing import OverBudget, measure, pack, tokens_of
from bench.localization.rows import Gold, Row, load_rows
from bench.localization.run import Plan, read_work, run
from bench.localization.source import Tree, words_of
from bench.localization.systems import Answer, Span, UnknownSystem, create
from bench.trees import TreeError, write_tree

ALPHA = '''"""Alpha keeps boxes."""

LIMIT = 3


def first(value):
    return value + 1


class Box:
    def open(self):
        token = first(LIMIT)
        return token

    def close(self):
        return None
'''
BETA = """def second(value):
    total = value * 2
    return total


def third(value):
    return value
"""
BROKEN = "print 'of an older Python'\n" * 120

FUNCTION_ROW = {
    "id": "tiny-1",
    "language": "python",
    "repo": "acme/tiny",
    "mirror": "acme/tiny",
    "query": "Box.open returns a wrong token",
    "gold_files": ["pkg/alpha.py"],
    "gold_functions": [{"path": "pkg/alpha.py", "qualname": "Box.open", "start": 11, "end": 13}],
    "gold_lines": [["pkg/alpha.py", 12, 12]],
    "leak_path": False,
}
MODULE_ROW = FUNCTION_ROW | {
    "id": "tiny-2",
    "query": "pkg/alpha.py: the LIMIT is too low",
    "gold_functions": [],
    "gold_lines": [["pkg/alpha.py", 3, 3]],
    "leak_path": True,
}


@dataclass(frozen=True)
class World:
    """A tiny repository with a later commit, and two rows at its first."""

    data: Path
    mirrors: Path
    git_dir: Path
    commit: str
    rows: list[Row]

    def arguments(self, results: Path, *more: str) -> list[str]:
        folders = [
            "--data",
            str(self.data),
            "--mirrors",
            str(self.mirrors),
            "--results",
            str(results),
            "--work",
            str(results / "work.jsonl"),
        ]
        return [*folders, "--rows", "tiny", "--jobs", "1", *more]


@pytest.fixture
def world(tmp_path: Path) -> World:
    git_dir = tmp_path / "mirrors" / "acme+tiny" / "repo"
    source = tmp_path / "source"
    write(source, {"pkg/alpha.py": ALPHA, "pkg/beta.py": BETA, "old/broken.py": BROKEN, "README.md": "# tiny\n"})
    git(source, "init", "--quiet")
    commit = save(source, "first")
    write(source, {"pkg/later.py": "LATER = 1\n"})
    save(source, "later")
    git(tmp_path, "clone", "--quiet", "--bare", str(source), str(git_dir))
    data = tmp_path / "data"
    rows = [FUNCTION_ROW, MODULE_ROW]
    write(data, {"tiny.jsonl": "".join(json.dumps(row | {"base_commit": commit}) + "\n" for row in rows)})
    return World(data, tmp_path / "mirrors", git_dir, commit, load_rows(data, ["tiny"]))


@pytest.fixture
def tree(world: World, tmp_path: Path) -> Tree:
    write_tree(world.git_dir, world.commit, tmp_path / "tree")
    return Tree(tmp_path / "tree")


@pytest.mark.parametrize(
    ("span", "file", "function", "whole", "line"),
    [
        (Span("pkg/alpha.py", 11, 13), True, True, True, True),
        (Span("pkg/alpha.py", 1, 16), True, True, True, True),
        (Span("pkg/alpha.py", 11, 11), True, True, False, False),
        (Span("pkg/alpha.py", 12, 12), True, True, False, True),
        (Span("pkg/alpha.py", 6, 7), True, False, False, False),
        (Span("pkg/beta.py", 1, 3), False, False, False, False),
        (Span("pkg/alpha.py", 11, 13, is_text_shown=False), False, False, False, False),
    ],
)
def test_each_level_asks_for_more_of_the_gold(
    world: World, tree: Tree, span: Span, *, file: bool, function: bool, whole: bool, line: bool
) -> None:
    answer = Answer((span,))

    score = judge(world.rows[0], answer, measure(answer, tree, 1000), tree)

    assert (score.file, score.function, score.whole, score.line) == (file, function, whole, line)


def test_a_row_without_functions_has_no_function_verdict(world: World, tree: Tree) -> None:
    answer = Answer((Span("pkg/alpha.py", 1, 3),))

    score = judge(world.rows[1], answer, measure(answer, tree, 1000), tree)

    assert (score.file, score.function, score.whole, score.line) == (True, None, None, True)


def test_what_is_missing_is_named_with_the_first_entry_that_touches_it(world: World, tree: Tree) -> None:
    answer = Answer((Span("pkg/beta.py", 1, 3), Span("pkg/alpha.py", 10, 16, is_text_shown=False)))

    score = judge(world.rows[0], answer, measure(answer, tree, 1000), tree)

    assert [(missing.level, missing.what, missing.rank) for missing in score.missing] == [
        ("file", "pkg/alpha.py", 2),
        ("function", "pkg/alpha.py::Box.open", 2),
        ("whole", "pkg/alpha.py::Box.open", 2),
        ("line", "pkg/alpha.py:12-12", 2),
    ]


def test_ranks_count_distinct_files_and_functions_in_order_of_first_appearance(world: World, tree: Tree) -> None:
    spans = (Span("pkg/beta.py", 6, 7), Span("pkg/beta.py", 1, 7), Span("old/broken.py", 1, 50), Span("pkg/alpha.py", 10, 16))
    answer = Answer(spans)

    score = judge(world.rows[0], answer, measure(answer, tree, 1000), tree)

    assert score.file_ranks == (3,)
    # third, second, the window of the file that no parser reads, then the class: open before close.
    assert score.function_ranks == (4,)
    assert function_ranks([Gold("pkg/alpha.py", 15, 16), Gold("pkg/gone.py", 1, 2)], spans, tree) == (5, None)


@pytest.mark.parametrize("answer", [Answer((Span("pkg/alpha.py", 1, 16),)), Answer((), text="x" * 41)])
def test_an_answer_above_its_budget_is_rejected(tree: Tree, answer: Answer) -> None:
    with pytest.raises(OverBudget) as refused:
        measure(answer, tree, 10)

    assert refused.value.tokens > 10


def test_lines_that_are_shown_twice_are_paid_once(tree: Tree) -> None:
    once = measure(Answer((Span("pkg/alpha.py", 10, 16),)), tree, 1000)
    twice = measure(Answer((Span("pkg/alpha.py", 10, 16), Span("pkg/alpha.py", 11, 13))), tree, 1000)

    assert twice == once


def test_a_claim_counts_only_if_the_text_bears_it_out(tree: Tree) -> None:
    text = "=== pkg/alpha.py\n11 def open(self):\n12         token = first(LIMIT)\n13         return token\n"
    claims = (Span("pkg/alpha.py", 11, 13), Span("pkg/alpha.py", 15, 16), Span("pkg/beta.py", 1, 3))

    shown = measure(Answer(claims, text), tree, 1000)

    assert shown.lines == {"pkg/alpha.py": frozenset({11, 12, 13})}
    assert (shown.unfounded, shown.tokens) == (2, tokens_of(len(text)))


@pytest.mark.parametrize("budget_tokens", [0, 1, 20, 60, 100, 10_000])
def test_what_the_packer_shows_fits_and_is_whole(tree: Tree, budget_tokens: int) -> None:
    ranked = [Span(unit.path, unit.start, unit.end) for path in tree.paths for unit in tree.units(path)]

    answer = pack(ranked, tree, budget_tokens)

    shown = measure(answer, tree, budget_tokens)
    assert shown.tokens <= budget_tokens
    assert [(span.path, span.start, span.end) for span in answer.spans] == [(span.path, span.start, span.end) for span in ranked]
    assert all(span.is_text_shown for span in answer.spans) == (budget_tokens == 10_000)


def test_the_packer_goes_on_after_a_span_that_does_not_fit(tree: Tree) -> None:
    answer = pack([Span("old/broken.py", 1, 120), Span("pkg/beta.py", 6, 7)], tree, 40)

    assert [span.is_text_shown for span in answer.spans] == [False, True]


def test_a_file_that_python_cannot_parse_is_known_by_windows(tree: Tree) -> None:
    assert tree.functions("old/broken.py") is None
    assert [(unit.start, unit.end, unit.kind) for unit in tree.units("old/broken.py")] == [
        (1, 50, "window"),
        (51, 100, "window"),
        (101, 120, "window"),
    ]


def test_units_cover_every_line_that_says_something_once(tree: Tree) -> None:
    units = tree.units("pkg/alpha.py")

    covered = [line for unit in units for line in range(unit.start, unit.end + 1)]
    assert len(covered) == len(set(covered))
    assert [(unit.qualname, unit.kind) for unit in units] == [
        ("", "rest"),
        ("first", "function"),
        ("Box", "rest"),
        ("Box.open", "function"),
        ("Box.close", "function"),
    ]


def test_words_hold_the_parts_of_an_identifier_and_itself() -> None:
    assert words_of("getHTTPResponse_2 x") == ["get", "http", "response", "2", "gethttpresponse_2", "x"]


def test_the_oracle_shows_all_gold_where_it_fits(world: World, tree: Tree) -> None:
    for row in world.rows:
        oracle = Oracle()
        oracle.reveal(row)
        oracle.index(tree.root)
        answer = oracle.query(row.query, 200)

        score = judge(row, answer, measure(answer, tree, 200), tree)

        assert score.missing == ()


def test_random_repeats_itself_and_follows_its_seed(tree: Tree) -> None:
    def order(seed: int, text: str) -> Answer:
        system = RandomSymbols(seed)
        system.index(tree.root)
        return system.query(text, 100)

    assert order(1, "why?") == order(1, "why?")
    assert len({order(seed, "why?") for seed in range(5)}) > 1
    assert len({order(1, text) for text in ("why?", "how?", "where?")}) > 1


@pytest.mark.parametrize("name", ["bm25-files", "bm25-symbols"])
def test_bm25_ranks_the_file_that_holds_the_words_first(world: World, tree: Tree, tmp_path: Path, name: str) -> None:
    system = create(name, tmp_path)
    system.index(tree.root)

    answer = system.query(world.rows[0].query, 200)

    assert answer.spans[0].path == "pkg/alpha.py"
    assert answer == system.query(world.rows[0].query, 200)
    assert measure(answer, tree, 200).tokens <= 200
    assert system.query("zzyzx", 200).spans == ()


def test_an_unknown_system_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownSystem, match="oracle"):
        create("crystal-ball", tmp_path)


def test_a_tree_shows_its_commit_and_nothing_later(world: World, tmp_path: Path) -> None:
    before = sorted(path.name for path in world.git_dir.rglob("*"))

    write_tree(world.git_dir, world.commit, tmp_path / "at")

    assert not (tmp_path / "at" / "pkg" / "later.py").exists()
    assert git(tmp_path / "at", "log", "--all", "--format=%s") == "first"
    assert git(tmp_path / "at", "status", "--porcelain") == ""
    assert sorted(path.name for path in world.git_dir.rglob("*")) == before
    with pytest.raises(TreeError, match="hint"):
        write_tree(world.git_dir, "0" * 40, tmp_path / "nowhere")


def test_a_second_run_asks_nothing_and_a_cut_line_again(world: World, tmp_path: Path) -> None:
    work, said = tmp_path / "work.jsonl", list[str]()
    plan = Plan(world.mirrors, ("random", "oracle"), (50, 200))

    first = run(world.rows, plan, work, jobs=1, say=said.append).lines
    written = work.read_bytes()
    second = run(world.rows, plan, work, jobs=1, say=said.append).lines

    assert [(line.system, line.id, line.budget) for line in first] == [
        (system, row, budget) for system in ("random", "oracle") for row in ("tiny-1", "tiny-2") for budget in (50, 200)
    ]
    assert second == first
    assert work.read_bytes() == written
    assert "2 rows already measured" in said[-1]

    work.write_bytes(written[:-20])
    third = run(world.rows, plan, work, jobs=1, say=said.append).lines

    assert len(list(read_work(work))) == len(first)
    assert [(line.id, line.file, line.line) for line in third] == [(line.id, line.file, line.line) for line in first]


def test_the_trees_are_deleted(world: World, tmp_path: Path) -> None:
    trees = tmp_path / "trees"

    run(world.rows, Plan(world.mirrors, ("random",), (50,), trees), tmp_path / "a.jsonl", jobs=1, say=print)

    assert list(trees.iterdir()) == []


def test_the_command_writes_a_result_whose_table_can_be_printed_again(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(world.arguments(tmp_path / "results", "--systems", "random,oracle", "--budgets", "60,400"))

    printed = capsys.readouterr().out
    [path] = (tmp_path / "results").glob("*-without-clew.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    everything = result["summary"]["subsets"]["all"]["systems"]["oracle"]
    assert code == 0
    assert everything["budgets"]["400"]["file"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 2}
    assert everything["budgets"]["400"]["whole"] == {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert result["summary"]["subsets"]["path_not_in_text"]["rows"] == 1
    assert result["machine"]["cores"] >= 1
    assert str(tmp_path) not in " ".join(result["command"])
    assert "| oracle | 400 | 100.0 [100–100] |" in printed

    assert main(["--table", str(path)]) == 0
    assert capsys.readouterr().out == printed


def test_missing_data_is_an_error_with_a_hint(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*world.arguments(tmp_path), "--rows", "elsewhere"])

    assert code == 2
    assert "hint" in capsys.readouterr().err


def test_intervals_hold_the_mean_and_repeat() -> None:
    values, repos = [1.0, 0.0, 1.0, None, 1.0, 0.0], ["a", "a", "b", "b", "c", "c"]

    found = estimate(values, repos)

    assert found.n == 5
    assert found.mean == pytest.approx(0.6)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.6 <= found.high
    assert found == estimate(values, repos)
    assert estimate([None], ["a"]).mean is None


def test_a_difference_is_paired_by_row() -> None:
    better, worse = [1.0] * 12, [0.0] * 11 + [1.0]
    repos = ["a"] * 4 + ["b"] * 4 + ["c"] * 4

    forth, back, none = difference(better, worse, repos), difference(worse, better, repos), difference(better, better, repos)

    assert forth.mean == pytest.approx(11 / 12)
    assert forth.p is not None
    assert forth.low is not None
    assert forth.low > 0
    assert forth.p < 0.01
    assert back.mean == pytest.approx(-11 / 12)
    assert (none.mean, none.p) == (0.0, 1.0)


@pytest.mark.slow
def test_the_oracle_is_perfect_on_real_rows(tmp_path: Path) -> None:
    data, mirrors = os.environ.get("CLEW_BENCH_DATA"), os.environ.get("CLEW_BENCH_MIRRORS")
    if not data or not mirrors:
        pytest.skip("CLEW_BENCH_DATA and CLEW_BENCH_MIRRORS are not set: the oracle is not tried on real rows")
    rows = load_rows(Path(data), ["swebench_lite"], ["psf/requests"])

    lines = run(rows, Plan(Path(mirrors), ("oracle",), (8192,)), tmp_path / "work.jsonl", jobs=1, say=print).lines

    assert rows
    assert all(line.file and line.line and line.whole is not False for line in lines)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def save(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")
