"""The localization benchmark judges by what is shown, refuses what is too large, and asks nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.localization import rivals
from bench.localization.__main__ import main
from bench.localization.arms.bm25 import Ranking, Vocabulary
from bench.localization.arms.codegraph import _spans as codegraph_spans
from bench.localization.arms.oracle import Oracle
from bench.localization.arms.random_symbols import RandomSymbols
from bench.localization.arms.worker import RivalFailed, WorkerSystem
from bench.localization.kept import plain, read_rows, rows_path
from bench.localization.metrics import (
    FAR,
    FILE_NOT_RANKED,
    FILE_NOT_SHOWN,
    NOT_RANKED,
    OUTSIDE,
    PART_SHOWN,
    function_ranks,
    judge,
    names_gold,
)
from bench.localization.outline import outline
from bench.localization.packing import OverBudget, measure, pack, tokens_of
from bench.localization.report import area
from bench.localization.rows import Gold, Row, load_rows, sampled
from bench.localization.run import Measured, Plan, read_work, run
from bench.localization.source import Tree, words_of
from bench.localization.systems import Answer, Closes, Follows, Span, Unavailable, UnknownSystem, create
from bench.trees import TreeError, clean_tree, commit_times, switch_tree, write_tree
from clew.evaluation.intervals import difference, estimate

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
    save(source, "later", day=2)
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

    assert [(missing.level, missing.what, missing.rank, missing.cause) for missing in score.missing] == [
        ("file", "pkg/alpha.py", 2, FILE_NOT_SHOWN),
        ("function", "pkg/alpha.py::Box.open", 2, FILE_NOT_SHOWN),
        ("whole", "pkg/alpha.py::Box.open", 2, ""),
        ("line", "pkg/alpha.py:12-12", 2, FILE_NOT_SHOWN),
    ]


@pytest.mark.parametrize(
    ("spans", "row", "cause"),
    [
        ([], 0, FILE_NOT_RANKED),
        ([Span("pkg/alpha.py", 1, 3)], 0, NOT_RANKED),
        ([Span("pkg/alpha.py", 11, 11)], 0, PART_SHOWN),
        (
            [Span("old/broken.py", n, n) for n in range(1, 12)]
            + [Span("pkg/alpha.py", 11, 13, is_text_shown=False), Span("pkg/alpha.py", 1, 1)],
            0,
            FAR,
        ),
        ([Span("pkg/alpha.py", 6, 7)], 1, OUTSIDE),
    ],
)
def test_a_missed_line_has_a_cause(world: World, tree: Tree, spans: list[Span], row: int, cause: str) -> None:
    answer = Answer(tuple(spans))

    score = judge(world.rows[row], answer, measure(answer, tree, 1000), tree)

    assert [missing.cause for missing in score.missing if missing.level == "line"] == [cause]


def test_a_text_names_its_gold_by_function_or_file(world: World) -> None:
    named, by_path = world.rows

    assert names_gold(named)
    assert names_gold(by_path)
    assert not names_gold(replace(named, query="it returns a wrong token"))


def test_rows_of_marked_context_are_judged_by_files_and_the_share_of_their_lines(tmp_path: Path, tree: Tree) -> None:
    spans = [{"path": "pkg/alpha.py", "start": 10, "end": 13}, {"path": "pkg/alpha.py", "start": 12, "end": 16}]
    row = {"id": "c", "language": "python", "repo": "acme/tiny", "mirror": None, "base_commit": "0", "query": "see pkg/beta.py"}
    write(tmp_path / "d", {"marked.jsonl": json.dumps(row | {"gold_context": spans, "patch_files": ["pkg/alpha.py"]}) + "\n"})
    [read] = load_rows(tmp_path / "d", ["marked"])

    answer = Answer((Span("pkg/alpha.py", 10, 13),))
    score = judge(read, answer, measure(answer, tree, 1000), tree)

    assert (read.kind, read.mirror, read.is_path_leaked) == ("context", "acme/tiny", False)
    assert read.lines == (Gold("pkg/alpha.py", 10, 16),)
    assert (score.file, score.function, score.line, score.coverage) == (True, None, None, 4 / 7)
    assert score.missing == ()


def test_a_sample_is_spread_over_repositories_and_grows(world: World) -> None:
    rows = [replace(world.rows[0], id=f"{repo}-{number}", repo=repo) for repo in ("a", "b", "c") for number in range(9)]

    three, six = sampled(rows, 3), sampled(rows, 6)

    assert sorted(row.repo for row in three) == ["a", "b", "c"]
    assert sorted(row.repo for row in six) == ["a", "a", "b", "b", "c", "c"]
    assert set(three) <= set(six)
    assert six == [row for row in rows if row in six]
    assert sampled(rows[::-1], 6) == six[::-1]
    assert sampled(rows, 99) == rows


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


def test_bm25_scores_are_those_of_the_package() -> None:
    package = pytest.importorskip("bm25s", reason="bench/requirements.txt is not installed: BM25 is not compared with the package")
    documents = [["red", "fox", "red"], ["dog"], ["fox", "dog", "cat", "cow"], ["cow"] * 9]
    reference = package.BM25(k1=1.5, b=0.75, method="lucene")
    reference.index(documents, show_progress=False)
    vocabulary = Vocabulary()
    ranking = Ranking(vocabulary, [vocabulary.pack(documents[:1]), vocabulary.pack([]), vocabulary.pack(documents[1:])])

    for asked in (["fox"], ["red", "cow", "none"], ["dog", "cat", "fox"]):
        known = [word for word in asked if word != "none"]
        assert ranking.scores(asked) == pytest.approx(reference.get_scores(known), rel=1e-5)
    assert not ranking.scores(["none"]).any()
    assert Ranking(vocabulary, []).scores(["fox"]).size == 0


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "a.rs",
            "impl Box {\n  #[inline]\n  pub fn open(&self) -> u8 {\n    if x { '}' } else { \"}\" }\n  }\n}\n",
            ["1-6 Box", "2-5 Box.open"],
        ),
        ("a.go", "func (h *Head) Init(x int) error {\n\treturn `}`\n}\n", ["1-3 Init"]),
        ("A.java", "class A {\n  @Test(x = 1)\n  int f(int a) throws E {\n    for (;;) {}\n  }\n  int y = 1;\n}\n", ["1-7 A", "2-5 A.f"]),
        ("a.c", "#define X {\nstatic int f(int a)\n{\n  /* } */\n  return 1;\n}\nint a[] = { 1, 2 };\n", ["2-6 f"]),
        ("b.c", "#if A\nint f(int a) {\n#else\nint f(void) {\n#endif\n  g();\n}\nint h() {\n}\n", ["2-7 f", "8-9 h"]),
        (
            "a.cpp",
            "namespace n {\ntemplate <typename T>\nstruct S {\n  int f() const { return 1; }\n};\nvoid S::g() {\n}\n}\n",
            ["1-8 n", "2-5 n.S", "4-4 n.S.f", "6-7 n.g"],
        ),
        ("a.rb", "class A\n  def f(a = 1)\n    if a\n    end\n  end\n  def g = 2\nend\n", ["1-7 A", "2-5 A.f", "6-6 A.g"]),
        (
            "a.ts",
            "export class A {\n  async f(a: string): Promise<void> {\n    if (a) { g(/}/); }\n  }\n}\nconst h = (x) => {\n};\n",
            ["1-5 A", "2-4 A.f", "6-7 h"],
        ),
        ("a.txt", "int f() {}\n", None),
    ],
)
def test_an_outline_knows_where_functions_end(path: str, text: str, expected: list[str] | None) -> None:
    found = outline(path, text.split("\n"))

    assert (found if found is None else [f"{block.start}-{block.end} {block.qualname}" for block in found]) == expected


def test_units_of_another_language_are_its_functions_and_the_judge_counts_spans_there(tmp_path: Path) -> None:
    write(tmp_path, {"a.c": "int limit = 3;\nint f(void) {\n  return limit;\n}\n", "notes.md": "# no source\n"})
    tree = Tree(tmp_path)

    assert tree.paths == ("a.c",)
    assert [(unit.start, unit.end, unit.kind) for unit in tree.units("a.c")] == [(1, 1, "rest"), (2, 4, "function")]
    assert tree.functions("a.c") is None
    assert function_ranks([Gold("a.c", 2, 4, "f")], [Span("a.c", 1, 1), Span("a.c", 3, 3)], tree) == (2,)


def test_the_area_is_the_mean_over_doublings() -> None:
    assert area((1024, 2048, 4096, 8192), (0.0, 1.0, 1.0, 1.0)) == pytest.approx(5 / 6)
    assert area((1024, 4096), (0.0, 1.0)) == 0.5
    assert area((8192,), (1.0,)) == 1.0
    assert area((1024, 2048), (None, 1.0)) is None


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


def test_a_switched_tree_is_the_tree_that_would_be_written(world: World, tmp_path: Path) -> None:
    later = git(world.git_dir, "rev-parse", "HEAD")
    write_tree(world.git_dir, later, tmp_path / "tree")
    write(tmp_path / "tree", {"left/behind.txt": "by a rival", "pkg/later.py": "changed by a rival", "a.pyc": "ignored"})

    switch_tree(world.git_dir, world.commit, tmp_path / "tree")
    write_tree(world.git_dir, world.commit, tmp_path / "fresh")

    assert files_of(tmp_path / "tree") == files_of(tmp_path / "fresh")
    assert git(tmp_path / "tree", "log", "--all", "--reflog", "--format=%s") == "first"
    assert git(tmp_path / "tree", "rev-parse", "HEAD") == world.commit

    switch_tree(world.git_dir, later, tmp_path / "tree")
    write(tmp_path / "tree", {"pkg/alpha.py": "changed", "new.py": ""})
    clean_tree(tmp_path / "tree")

    assert (tmp_path / "tree" / "pkg" / "later.py").read_text(encoding="utf-8") == "LATER = 1\n"
    assert git(tmp_path / "tree", "status", "--porcelain", "--ignored") == ""


def test_attributes_that_change_are_applied_to_files_that_do_not(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(source, {"a.txt": "one\ntwo\n"})
    git(source, "init", "--quiet")
    plain = save(source, "plain")
    write(source, {".gitattributes": "*.txt eol=crlf\n"})
    dressed = save(source, "dressed")
    write_tree(source / ".git", plain, tmp_path / "tree")

    switch_tree(source / ".git", dressed, tmp_path / "tree")

    assert (tmp_path / "tree" / "a.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_commit_times_leave_out_what_is_not_there(world: World) -> None:
    times = commit_times(world.git_dir, [world.commit, "0" * 40])

    assert [*times] == [world.commit]
    assert commit_times(world.git_dir, ["0" * 40]) == {}


@pytest.mark.parametrize("name", ["random", "bm25-files", "bm25-symbols", "clew-lib"])
def test_a_system_that_follows_a_tree_answers_as_a_new_one(world: World, tmp_path: Path, name: str) -> None:
    later, tree = git(world.git_dir, "rev-parse", "HEAD"), tmp_path / "tree"
    write_tree(world.git_dir, world.commit, tree)
    (tmp_path / "kept").mkdir()
    (tmp_path / "new").mkdir()
    kept, new = create(name, tmp_path / "kept"), create(name, tmp_path / "new")
    assert isinstance(kept, Follows)
    question = "second third LATER open a Box"

    kept.index(tree)
    first = kept.query(question, 400)
    switch_tree(world.git_dir, later, tree)
    kept.follow(tree)
    new.index(tree)
    second, anew = kept.query(question, 400), new.query(question, 400)
    for system in (kept, new):
        if isinstance(system, Closes):
            system.close()

    assert second == anew
    assert "pkg/later.py" in {span.path for span in second.spans}
    assert "pkg/later.py" not in {span.path for span in first.spans}


def test_rows_go_by_date_through_one_tree_and_share_an_answer(world: World, tmp_path: Path) -> None:
    later = git(world.git_dir, "rev-parse", "HEAD")
    newest = replace(world.rows[0], id="a-newest", base_commit=later)
    again = replace(world.rows[0], dataset="other")
    work = tmp_path / "work.jsonl"

    lines = run([newest, *world.rows, again], Plan(world.mirrors, ("bm25-symbols",), (200,)), work, jobs=1, say=print).lines

    asked = [(line.dataset, line.id) for line in read_work(work)]
    assert asked == [("other", "tiny-1"), ("tiny", "tiny-1"), ("tiny", "tiny-2"), ("tiny", "a-newest")]
    by_id = {(line.dataset, line.id): line for line in lines}
    assert not by_id["tiny", "a-newest"].is_cold
    assert by_id["tiny", "tiny-1"].query_s == by_id["other", "tiny-1"].query_s
    assert [line.id for line in lines] == ["a-newest", "tiny-1", "tiny-2", "tiny-1"]


def test_what_is_not_here_is_left_out_by_name(world: World, tmp_path: Path) -> None:
    said = list[str]()
    rows = [
        *world.rows,
        replace(world.rows[0], id="elsewhere", mirror="acme/none"),
        replace(world.rows[0], id="gone", base_commit="0" * 40),
    ]

    outcome = run(rows, Plan(world.mirrors, ("random",), (50,)), tmp_path / "work.jsonl", jobs=1, say=said.append)

    assert [line.id for line in outcome.lines] == ["tiny-1", "tiny-2"]
    assert [*outcome.skipped] == ["tiny elsewhere", "tiny gone"]
    assert all(any(line.startswith(f"SKIPPED {name}") for line in said) for name in outcome.skipped)


def test_two_jobs_write_what_one_writes(world: World, tmp_path: Path) -> None:
    mirrored = [replace(row, mirror="acme/twin", repo="acme/twin", id=f"twin-{row.id}") for row in world.rows]
    git(tmp_path, "clone", "--quiet", "--bare", str(world.git_dir), str(world.mirrors / "acme+twin" / "repo"))
    rows, plan = [*world.rows, *mirrored], Plan(world.mirrors, ("oracle",), (200,))

    one = run(rows, plan, tmp_path / "one.jsonl", jobs=1, say=print).lines
    two = run(rows, plan, tmp_path / "two.jsonl", jobs=2, say=print).lines

    assert [untimed(line) for line in two] == [untimed(line) for line in one]


def test_a_rival_that_cannot_be_installed_is_left_out_by_name(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "RIVALS", tmp_path / "rivals")
    (tmp_path / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="npm"):
        rivals.node_package("none", "none@0.0.0")

    outcome = run(world.rows, Plan(world.mirrors, ("codegraph",), (50,)), tmp_path / "work.jsonl", jobs=1, say=print)

    assert outcome.lines == []
    assert [*outcome.skipped] == ["codegraph"]


def test_a_problem_is_kept_without_the_paths_of_a_machine() -> None:
    assert (
        plain("RivalFailed: no answer: File '/home/someone/x/rival.py', line 3\nmore") == "RivalFailed: no answer: File 'rival.py', line 3"
    )
    assert plain("") == ""


def test_an_installation_is_done_once_and_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "RIVALS", tmp_path / "rivals")
    folder = rivals.RIVALS / "one"

    with pytest.raises(Unavailable), rivals._installing(folder):  # noqa: PT012  it fails within the installation
        folder.mkdir()
        raise Unavailable("no line")
    with rivals._installing(folder) as is_needed:
        assert (is_needed, folder.exists()) == (True, False)
        folder.mkdir()
    with rivals._installing(folder) as is_needed:
        assert not is_needed


def test_a_worker_answers_by_lines_and_its_last_words_are_kept(world: World, tree: Tree, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER, encoding="utf-8")
    paths = str(Path(rivals.__file__).parent / "workers")
    system = WorkerSystem("echo", "1", lambda: [sys.executable, str(script), paths], tmp_path)

    with pytest.raises(RivalFailed, match="before"):
        system.query("alpha", 100)
    system.index(tree.root)
    answer = system.query("pkg/beta.py", 100)
    with pytest.raises(RivalFailed, match="KeyError: 'crash'"):
        system.query("crash", 100)
    system.close()

    assert answer.spans == (Span("pkg/beta.py", 1, 3),)


def test_codegraph_answers_are_read_as_runs_of_numbered_lines() -> None:
    said = "1\tno file yet\n**`a/b.py`** — two\n```python\n3\tx\n4\ty\n\n9\tz\n```\n**`c.py`**\n" + "".join(
        f"{n}\t\n" for n in range(1, 61)
    )

    assert [*codegraph_spans(said)] == [Span("a/b.py", 3, 4), Span("a/b.py", 9, 9), Span("c.py", 1, 50), Span("c.py", 51, 60)]


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
    assert everything["area"]["file"]["n"] == 2
    assert str(tmp_path) not in " ".join(result["command"])
    assert "| oracle | 400 | 100.0 [100–100] |" in printed
    assert result["summary"]["failures"]["tiny"]["rows"] == 2
    rows = read_rows(rows_path(path))
    assert [(row["system"], row["id"], row["file"]) for row in rows if row["system"] == "oracle"] == [
        ("oracle", "tiny-1", "11"),
        ("oracle", "tiny-2", "11"),
    ]

    assert main(["--table", str(path)]) == 0
    assert capsys.readouterr().out == printed

    write(tmp_path, {"old.json": json.dumps({"name": "old", "machine": {}, "summary": {}})})
    assert main(["--table", str(tmp_path / "old.json")]) == 2
    assert "hint" in capsys.readouterr().err


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


WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
from speak import serve


def query(text, budget_tokens):
    print("chatter that is no answer")
    if text == "crash":
        raise KeyError(text)
    return [[text, 1, 3, True]], None


serve(lambda tree: print("indexing"), query)
"""


def untimed(line: Measured) -> Measured:
    return replace(line, index_s=0.0, query_s=0.0)


def files_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts[:1])
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def git(folder: Path, *arguments: str, **variables: str) -> str:
    environment = os.environ | variables
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, env=environment).stdout.strip()


def save(folder: Path, message: str, day: int = 1) -> str:
    when = f"2024-01-{day:02d}T00:00:00Z"
    git(folder, "add", "--all")
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    git(folder, *who, "commit", "--quiet", "--message", message, GIT_COMMITTER_DATE=when, GIT_AUTHOR_DATE=when)
    return git(folder, "rev-parse", "HEAD")
