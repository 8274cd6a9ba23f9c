"""What is known of each file that a session changed: how it stands, which check covered it since, which commit took it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.records import (
    CallOutcome,
    FileChange,
    FileState,
    FileTouch,
    Hunk,
    Observation,
    ObservationKind,
    ToolCall,
    ToolKind,
    ToolResult,
    Verdict,
)
from clew.task.git import GIT_NOTE, GitCommit, GitStatus
from clew.task.tracker import TaskTracker, state_at

ROOT = "/home/ada/shop"
COMMITTED = "[main 1a2b3c4] cart\n 1 file changed, 1 insertion(+), 1 deletion(-)"


@dataclass
class Work:
    """Edits and runs, in their order."""

    root: str = ROOT
    observations: list[Observation] = field(default_factory=list[Observation])

    def see(self, call: ToolCall) -> None:
        seq = len(self.observations)
        self.observations.append(
            Observation("s", seq, seq, f"u{seq}", ObservationKind.RESULT, call.output, call_id=call.id, call=call, cwd=self.root)
        )

    def edit(self, path: str) -> Work:
        result = ToolResult("done", changes=(FileChange(path, (Hunk(1, 1, 1),)),))
        self.see(ToolCall("Edit", ToolKind.EDIT, "c", "{}", cwd=self.root, path=path, touches=(FileTouch(path, "edit"),), result=result))
        return self

    def write(self, path: str) -> Work:
        result = ToolResult("done", changes=(FileChange(path),))
        self.see(ToolCall("Write", ToolKind.WRITE, "c", "{}", cwd=self.root, path=path, touches=(FileTouch(path, "write"),), result=result))
        return self

    def run(self, command: str, output: str = "", code: int = 0) -> Work:
        outcome = CallOutcome.FAILED if code else CallOutcome.OK
        self.see(
            ToolCall(
                "Bash", ToolKind.COMMAND, "c", "{}", cwd=self.root, command=command,
                result=ToolResult(output, outcome, is_error=bool(code), exit_code=code),
            )
        )  # fmt: skip
        return self

    def start(self, command: str, job: str) -> Work:
        result = ToolResult(f"Command running in background with ID: {job}", CallOutcome.UNKNOWN, job=job)
        self.see(ToolCall("Bash", ToolKind.COMMAND, "c", "{}", cwd=self.root, command=command, result=result))
        return self

    def ask(self, job: str, output: str, code: int) -> Work:
        self.see(ToolCall("TaskOutput", ToolKind.OTHER, "c", "{}", job=job, result=ToolResult(output, job_exit_code=code)))
        return self

    def files(self) -> dict[str, FileState]:
        tracker = TaskTracker(root=self.root)
        for seen in self.observations:
            tracker.observe(seen)
        return {file.path: file for file in tracker.state().files}

    def checks(self, path: str) -> list[tuple[str, str, str]]:
        return [(check.kind, check.verdict.value, check.command) for check in self.files()[path].checked_by]


# Checks.


def test_a_linter_is_a_check_of_lint_and_a_failed_test_run_stands_beside_it() -> None:
    work = Work().edit("cart.py").run("ruff check .", "All checks passed!").run("pytest -q", "1 failed, 3 passed in 0.1s", 1)

    assert work.checks("cart.py") == [("lint", "passed", "ruff check ."), ("tests", "failed", "pytest -q")]


@pytest.mark.parametrize(("command", "known"), [("golangci-lint run ./cart/", ["passed"]), ("go vet ./cart/", ["failed", "passed"])])
def test_what_a_linter_says_of_a_folder_replaces_what_it_said_of_its_files_and_not_what_another_one_did(
    command: str, known: list[str]
) -> None:
    work = Work().edit("cart/sum.go").run("golangci-lint run", "pay/tax.go:3:1: unused (unused)\n1 issues:\n* unused: 1", code=1)
    output = "0 issues." if command.startswith("golangci") else ""

    assert [verdict for _, verdict, _ in work.run(command, output).checks("cart/sum.go")] == known


def test_a_command_that_named_its_tool_when_it_failed_covers_the_same_files_when_it_passes_in_silence() -> None:
    error = "src/total.ts(4,2): error TS2345: Argument of type 'string' is not assignable to parameter of type 'number'."
    work = Work().edit("src/total.ts").edit("src/cart.ts").run("pnpm verify", error, 2).edit("src/total.ts").run("pnpm verify")

    assert work.checks("src/cart.ts") == [("types", "passed", "pnpm verify")]


@pytest.mark.parametrize(
    "output", [' ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL  Command "biome" not found', " ELIFECYCLE  Command failed with exit code 1."]
)
def test_what_starts_a_tool_says_nothing_of_files_where_the_tool_itself_is_silent(output: str) -> None:
    work = Work().edit("src/total.ts").run("pnpm exec biome check src", output, 1)

    assert work.checks("src/total.ts") == []


@pytest.mark.parametrize(
    ("command", "output", "covered"),
    [
        ("pytest -q", "3 passed in 0.1s", {"src/cart.py", "src/ring.py", "tests/test_cart.py"}),
        ("pytest -q tests/", "3 passed in 0.1s", {"src/cart.py", "src/ring.py", "tests/test_cart.py"}),
        ("pytest -q tests/test_cart.py", "3 passed in 0.1s", {"src/cart.py", "tests/test_cart.py"}),
        ("pytest -q tests/test_cart.py::test_total", "1 passed in 0.1s", set()),
        ("pytest -q -k total", "1 passed in 0.1s", set()),
        ("cd src && pytest -q", "3 passed in 0.1s", {"src/cart.py", "src/ring.py"}),
        ("ruff check src/cart.py", "All checks passed!", {"src/cart.py"}),
        ("mypy src", "Success: no issues found in 2 source files", {"src/cart.py", "src/ring.py"}),
        ("go test ./...", "ok  \tshop/pkg\t0.1s\nok  \tshop/pkg/sub\t0.1s", {"pkg/a.go", "pkg/sub/b.go"}),
        ("go test ./pkg", "ok  \tshop/pkg\t0.1s", {"pkg/a.go"}),
        ("npx vitest run", " Test Files  2 passed (2)\n      Tests  5 passed (5)", {"web/app.ts"}),
        ("npx tsc --noEmit", "", {"web/app.ts"}),
        ("make test", "3 passed in 0.1s", {"src/cart.py", "src/ring.py", "tests/test_cart.py"}),
        ("make test", "all fine", set()),
        ("go test -c ./pkg", "", {"pkg/a.go"}),
        ("npx prettier -c web", "All matched files use Prettier code style!", {"web/app.ts"}),
        ("npx prettier -c lib", "All matched files use Prettier code style!", set()),
        ("cd /home/ada/shop && npx vitest run --project web", " Test Files  2 passed (2)", {"web/app.ts"}),
        ("npx vitest run --project other", " Test Files  2 passed (2)", set()),
    ],
)
def test_a_check_counts_for_the_files_that_it_covers(command: str, output: str, covered: set[str]) -> None:
    work = Work()
    for path in ("src/cart.py", "src/ring.py", "tests/test_cart.py", "web/app.ts", "pkg/a.go", "pkg/sub/b.go", "README.md"):
        work.edit(path)
    work.run(command, output)

    assert {path for path, file in work.files().items() if file.checked_by} == covered
    assert all(file.was_tried for file in work.files().values())


@pytest.mark.parametrize("command", ["pytest --collect-only", "npx jest --listTests", "npx playwright test --list"])
def test_a_list_of_tests_is_no_check(command: str) -> None:
    work = Work()
    work.edit("src/cart.py")
    work.run(command, "3 tests collected in 0.1s")

    assert not any(file.checked_by or file.was_tried for file in work.files().values())


def test_of_two_tasks_in_one_output_each_is_of_its_own_kind() -> None:
    work = Work().edit("cart.py").run("make lint && make test", "All checks passed!\n3 passed in 0.1s")

    assert work.checks("cart.py") == [("tests", "passed", "make test")]


def test_tests_that_are_only_compiled_are_a_build() -> None:
    assert Work().edit("pkg/a.go").run("go test -c ./pkg").checks("pkg/a.go") == [("build", "passed", "go test -c ./pkg")]


def test_a_later_failure_takes_an_earlier_pass_back() -> None:
    work = Work().edit("cart.py").run("pytest -q", "4 passed in 0.1s").run("pytest -q", "1 failed, 3 passed in 0.1s", 1)
    narrow = Work().edit("cart.py").run("pytest", "4 passed in 0.1s").run("pytest -k total", "1 failed in 0.1s", 1)

    assert work.checks("cart.py") == [("tests", "failed", "pytest -q")]
    assert narrow.checks("cart.py") == [("tests", "failed", "pytest -k total")]


def test_an_edit_makes_checks_of_that_file_void_and_those_of_others_stale() -> None:
    files = Work().edit("cart.py").edit("ring.py").run("pytest", "4 passed in 0.1s").edit("cart.py").files()

    assert files["cart.py"].checked_by == ()
    assert not files["cart.py"].was_tried
    assert [(check.verdict, check.is_stale) for check in files["ring.py"].checked_by] == [(Verdict.PASSED, True)]


def test_an_edit_in_the_same_command_line_counts_by_its_place() -> None:
    before = Work().edit("cart.py").run("sed -i s/a/b/ cart.py && pytest", "4 passed in 0.1s")
    after = Work().edit("cart.py").run("pytest && sed -i s/a/b/ cart.py", "4 passed in 0.1s")

    assert before.checks("cart.py") == [("tests", "passed", "pytest")]
    assert after.checks("cart.py") == []


def test_a_background_run_counts_when_it_has_ended() -> None:
    work = Work().edit("cart.py").start("pytest -q", "b1")

    assert work.checks("cart.py") == [("tests", "not seen", "pytest -q")]
    assert work.ask("b1", "1 failed, 3 passed in 0.1s", 1).checks("cart.py") == [("tests", "failed", "pytest -q")]


def test_a_background_run_says_nothing_of_files_that_changed_meanwhile() -> None:
    work = Work().edit("cart.py").edit("ring.py").start("pytest -q", "b1").edit("cart.py").ask("b1", "4 passed in 0.1s", 0)

    assert work.checks("cart.py") == []
    assert work.files()["ring.py"].checked_by[0].is_stale


def test_of_several_checks_that_failed_together_only_the_one_that_says_so_has_failed() -> None:
    work = Work().edit("cart.py").run("ruff check . && pytest -q", "All checks passed!\n1 failed, 3 passed in 0.1s", 1)

    assert work.checks("cart.py") == [("tests", "failed", "pytest -q")]


# Commits.


@pytest.mark.parametrize(
    ("command", "output", "code", "committed"),
    [
        ("git add cart.py && git commit -m cart", COMMITTED, 0, {"cart.py": True, "ring.py": False}),
        ("git commit -m cart -- cart.py", COMMITTED, 0, {"cart.py": True, "ring.py": False}),
        ("git commit -m cart cart.py 2>&1 | tail -1", " 1 file changed, 1 insertion(+)", 0, {"cart.py": True, "ring.py": False}),
        ("git commit -am all", "[main 1a2b3c4] all\n 2 files changed, 2 insertions(+)", 0, {"cart.py": True, "ring.py": True}),
        ("git add -A && git commit -qm all", "", 0, {"cart.py": True, "ring.py": True}),
        ("git add -A && git commit -m all && git push", f"{COMMITTED}\n 2 files changed\nerror: failed to push", 1, None),
        ("git add -A && git commit -m all", "[main 1a2b3c4] all\n 1 file changed", 0, {"cart.py": None, "ring.py": None}),
        ("git add cart.py && git commit -m x", "[main 1a2b3c4] x\n 3 files changed", 0, {"cart.py": True, "ring.py": None}),
        ("git commit -m x", "no changes added to commit (use \"git add\")", 1, {"cart.py": False, "ring.py": False}),
        ("git commit -m x 2>&1 | tail -1", 'no changes added to commit (use "git add" and/or "git commit -a")', 0, {"cart.py": False}),
        ("git add -A; git commit -m x; echo done", "husky - pre-commit hook exited with code 1 (error)\ndone", 0, {"cart.py": False}),
        ("git add -A && git commit -m x", "eslint found 3 problems\nhusky - pre-commit script failed (code 1)", 1, {"cart.py": False}),
        ("git add -A && git diff --stat && git commit -m x", " cart.py | 2 +-\n 2 files changed\nrefused", 1, {"cart.py": False}),
        ("git add -A && git commit --dry-run", "On branch main", 0, {"cart.py": False}),
        ("git add -p && git commit -m x", COMMITTED, 0, {"cart.py": None, "ring.py": None}),
        ("cd ../other && git add -A && git commit -m x", COMMITTED, 0, {"cart.py": False, "ring.py": False}),
        ("git -C /home/ada/other commit -am x", COMMITTED, 0, {"cart.py": False, "ring.py": False}),
        ("cd $REPO && git commit -am x", COMMITTED, 0, {"cart.py": None, "ring.py": None}),
        ("pytest && git commit -am x", "1 failed in 0.1s", 1, {"cart.py": False, "ring.py": False}),
        ("git commit -q -am x | cat", "", 0, {"cart.py": None, "ring.py": None}),
        ("git rebase --continue", "[detached HEAD 1a2b3c4] x\n 1 file changed", 0, {"cart.py": None}),
    ],
)  # fmt: skip
def test_a_commit_takes_what_git_says_that_it_took(command: str, output: str, code: int, committed: dict[str, bool | None] | None) -> None:
    files = Work().edit("cart.py").edit("ring.py").run(command, output, code).files()

    if committed is not None:
        assert {path: files[path].is_committed for path in committed} == committed


def test_a_refused_commit_takes_what_was_staged_when_it_is_made_at_last() -> None:
    work = Work().edit("cart.py").edit("ring.py").run("git add cart.py && git commit -m x", "lint failed", 1)
    files = work.run("git commit -m x --no-verify", COMMITTED).files()

    assert (files["cart.py"].is_committed, files["ring.py"].is_committed) == (True, False)
    assert (files["cart.py"].commit, files["cart.py"].commit_uuid) == ("1a2b3c4", "u3")


def test_a_commit_takes_the_staged_state_and_not_a_later_edit() -> None:
    work = Work().edit("cart.py").run("git add cart.py").edit("cart.py").run("git commit -m x", COMMITTED)

    assert work.files()["cart.py"].is_committed is False


@pytest.mark.parametrize(
    ("command", "output", "committed"),
    [
        ("git reset --soft HEAD~1", "", False),
        ("git reset HEAD~1", "Unstaged changes after reset:\nM\tcart.py", False),
        ("git reset --mixed 0000000", "", None),
        ("git reset HEAD", "", True),
        ("git checkout other", "Switched to branch 'other'", True),
        ("git commit --amend --no-edit", "[main 2b3c4d5] cart\n 1 file changed", True),
    ],
)
def test_a_reset_takes_a_commit_back(command: str, output: str, committed: bool | None) -> None:  # noqa: FBT001
    files = Work().edit("cart.py").run("git commit -am cart", COMMITTED).run(command, output).files()

    assert files["cart.py"].is_committed is committed


def test_a_commit_on_another_branch_says_on_which() -> None:
    work = Work().edit("cart.py").run("git commit -am cart", COMMITTED).run("git checkout other", "Switched to branch 'other'")

    assert work.files()["cart.py"].commit_branch == "main"


def test_a_rebase_gives_commits_other_names() -> None:
    work = Work().edit("cart.py").run("git commit -am cart", COMMITTED)
    file = work.run("git rebase origin/main", "Successfully rebased and updated refs/heads/main.").files()["cart.py"]

    assert (file.is_committed, file.commit) == (True, "")


def test_a_change_that_git_status_no_longer_lists_was_committed_by_somebody_or_taken_back() -> None:
    work = Work().edit("cart.py").edit("ring.py").run("git status --short", " M ring.py")

    assert {path: file.is_committed for path, file in work.files().items()} == {"cart.py": None, "ring.py": False}


# What is taken back, removed, moved.


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("git checkout -- cart.py", ""),
        ("git checkout cart.py", "Updated 1 path from the index"),
        ("git restore cart.py", ""),
        ("git restore .", ""),
        ("git reset --hard", "HEAD is now at 1a2b3c4 x"),
        ("git stash", "Saved working directory and index state WIP on main: 1a2b3c4 x"),
        ("git stash && git stash drop", "Saved working directory and index state WIP on main: 1a2b3c4 x\nDropped refs/stash@{0} (1a2b3c4)"),
    ],
)
def test_an_edit_that_git_took_back_is_no_edit(command: str, output: str) -> None:
    file = Work().edit("cart.py").run("pytest", "4 passed in 0.1s").run(command, output).files()["cart.py"]

    assert (file.state.value, file.is_committed, file.checked_by) == ("reverted", None, ())


def test_what_was_stashed_comes_back() -> None:
    work = Work().edit("cart.py").run("git stash", "Saved working directory and index state WIP on main: 1a2b3c4 x")

    assert work.files()["cart.py"].is_stashed
    file = work.run("git stash pop", "On branch main\nDropped refs/stash@{0}").files()["cart.py"]
    assert (file.state.value, file.is_stashed) == ("edited", False)


def test_a_revert_and_a_hard_reset_take_a_commits_changes_back() -> None:
    work = Work().edit("cart.py").run("git commit -am cart", COMMITTED)
    reverted, dropped, refused = (Work(observations=list(work.observations)) for _ in range(3))
    reverted.run("git revert --no-edit HEAD", '[main 2b3c4d5] Revert "cart"\n 1 file changed')
    dropped.run("git reset --hard HEAD~1", "HEAD is now at 0a0b0c0 start")
    refused.run("git reset --hard HEAD~1", "fatal: Cannot do hard reset", 128)

    assert [each.files()["cart.py"].state.value for each in (reverted, dropped, refused)] == ["reverted", "reverted", "edited"]


@pytest.mark.parametrize(
    ("command", "states"),
    [
        ("rm cart.py", {"cart.py": "removed"}),
        ("git rm -q cart.py", {"cart.py": "removed"}),
        ("rm -rf .", {"cart.py": "removed"}),
        ("rm other.py", {"cart.py": "written", "other.py": "removed"}),
        ("rm -f other.py", {"cart.py": "written"}),
        ("true || rm cart.py", {"cart.py": "written"}),
        ("rm cart.pyc; ls", {"cart.py": "written"}),
        ("mv cart.py lib/basket.py", {"lib/basket.py": "written", "cart.py": "moved"}),
        ("git mv cart.py lib/", {"lib/cart.py": "written", "cart.py": "moved"}),
        ("mv ring.py lib/ring.py", {"cart.py": "written", "lib/ring.py": "moved", "ring.py": "moved"}),
        ("cp cart.py basket.py", {"cart.py": "written", "basket.py": "written"}),
    ],
)
def test_rm_and_mv_take_files_away(command: str, states: dict[str, str]) -> None:
    output = "rm: cannot remove 'cart.pyc': No such file or directory" if "pyc" in command else ""
    files = Work().write("cart.py").run(command, output).files()

    assert {path: file.state.value for path, file in files.items()} == states


def test_a_moved_file_names_both_paths() -> None:
    files = Work().edit("cart.py").run("git mv cart.py basket.py").files()

    assert (files["basket.py"].moved_from, files["cart.py"].moved_to) == ("cart.py", "basket.py")


def test_a_tool_may_delete_and_move_files() -> None:
    work = Work()
    touches = FileTouch("a.py", "edit"), FileTouch("b.py", "edit"), FileTouch("c.py", "edit")
    call = ToolCall("apply_patch", ToolKind.EDIT, "c", "{}", cwd=ROOT, touches=touches, removes=("a.py",), moves=(("b.py", "c.py"),))
    work.see(ToolCall(**{name: getattr(call, name) for name in call.__slots__} | {"result": ToolResult("Success.")}))

    assert {path: file.state.value for path, file in work.files().items()} == {"a.py": "removed", "b.py": "moved", "c.py": "edited"}


def test_a_tracker_that_has_seen_a_prefix_knows_what_one_knows_that_saw_no_more() -> None:
    work = Work().edit("cart.py").run("pytest", "4 passed in 0.1s").run("git commit -am x", COMMITTED).edit("ring.py").run("git stash")
    tracker = TaskTracker(root=ROOT)
    for at, seen in enumerate(work.observations):
        tracker.observe(seen)
        assert tracker.state().files == tuple(Work(observations=work.observations[: at + 1]).files().values())


_STEP = st.one_of(
    st.sampled_from(["cart.py", "lib/ring.py", "web/app.ts"]).map(lambda path: ("edit", path)),
    st.sampled_from(
        [
            "git add .", "git commit -m x", "git commit -am x", "pytest", "git stash", "git stash pop", "git reset --hard", "rm cart.py",
            "git checkout -- cart.py", "mv cart.py lib/cart.py", "git reset HEAD~1", "git revert HEAD", "git merge x", "cd lib; git add .",
        ]
    ).map(lambda command: ("run", command)),
)  # fmt: skip


@given(st.lists(_STEP, max_size=25), st.sampled_from(["", "nothing to commit, working tree clean", "4 passed in 0.1s", "fatal: no"]))
@settings(max_examples=60, deadline=None)
def test_nothing_is_committed_where_git_reports_no_commit(steps: list[tuple[str, str]], output: str) -> None:
    """Nor does a check count for what was edited after it."""
    work = Work()
    for kind, what in steps:
        work = work.edit(what) if kind == "edit" else work.run(what, output, int(what.startswith("git commit")))
    files = work.files()

    assert not any(file.is_committed for file in files.values())
    assert all(check.seq > file.seq for file in files.values() for check in file.checked_by)


def test_git_itself_is_believed_where_it_is_asked() -> None:
    work = Work()
    for path in ("a.py", "b.py", "c.py", "d.py", "e.py"):
        work.edit(path)
    work.run("git commit -am x", "[main 1a2b3c4] x\n 5 files changed").edit("b.py").run("rm e.py").edit("d.py").edit("f.py")
    commit = GitCommit(digest="5d6e7f8", line="5d6e7f8 later")
    names = ("a.py", "b.py", "c.py", "d.py", "e.py", "f.py")
    status = GitStatus(names, changed=("c.py",), tracked=("a.py", "b.py", "c.py", "d.py", "f.py"), commits=((commit, ("b.py", "e.py")),))
    before = work.files()
    seq = len(work.observations)
    work.observations.append(Observation("s", seq, -1, "s:git", ObservationKind.NOTE, status.encode(), tool=GIT_NOTE, cwd=ROOT))

    told = {path: (file.state.value, file.is_committed, file.commit) for path, file in work.files().items()}
    assert told == {
        "a.py": ("edited", True, "1a2b3c4"), "b.py": ("edited", True, "5d6e7f8"), "c.py": ("edited", False, ""),
        "d.py": ("edited", True, "1a2b3c4"), "e.py": ("removed", True, "5d6e7f8"), "f.py": ("reverted", None, ""),
    }  # fmt: skip
    assert (before["b.py"].is_committed, before["c.py"].is_committed) == (False, True)  # what was known before stays as it was


# Against git itself.

FILES = ("a.py", "b.py", "lib/c.py", "lib/d.py", "new.py", "lib/new.ts")
COMMANDS = (
    "git add {f}", "git add -A", "git add .", "git add -u", "cd lib && git add .", "git commit -m 'c {k}'", "git commit -am 'c {k}'",
    "git add -A && git commit -m 'c {k}'", "git add {f} && git commit -m 'c {k}'", "git add {f} && git commit -q -m 'c {k}'",
    "git commit -m 'c {k}' -- {f}", "git commit -m 'c {k}' {f} 2>&1 | tail -1", "git commit -qam 'c {k}'; git log --oneline -1",
    "git commit --amend --no-edit", "git checkout -- {f}", "git checkout {f}", "git restore {f}", "git restore --staged {f}",
    "git restore .", "git restore --staged --worktree {f}", "git checkout HEAD -- {f}", "git checkout HEAD~1 -- {f}", "git reset",
    "git reset --hard", "git reset --hard HEAD~1", "git reset --soft HEAD~1", "git reset HEAD~1", "git reset {f}", "git stash",
    "git stash pop", "git stash -u", "git stash drop", "git stash push -- {f}", "git revert --no-edit HEAD", "rm {f}", "rm -f {f}",
    "git rm -q {f}", "mv {f} lib/moved{k}.py", "git mv {f} m{k}.py", "rm -rf lib", "cp {f} copy{k}.py", "git checkout -b br{k}",
    "git checkout main", "git merge main", "git clean -fd", "git status --short", "git status", "true || rm {f}",
    "false && git commit -am no", "sed -i 's/x/y{k}/' {f}", "echo 'hi {k}' >> {f}", "git diff --stat && git commit -m 'z{k}'",
    "git rm --cached {f}", "git checkout -f", "git checkout .", "git reset --merge", "git reset --keep HEAD~1",
    "git revert --no-commit HEAD", "git commit --include {f} -m 'i {k}'", "git commit -a --amend --no-edit", "git cherry-pick main",
    "git add -A && git cherry-pick --continue", "git rm -rf lib", "git restore --source=HEAD~1 {f}", "git revert --no-edit HEAD~1",
    "git stash apply", "git commit -am 'p {k}' | cat",
    "git -C lib add . && git -C lib commit -m 'l{k}'", "touch .git/refuse; git add {f}; git commit -m 'c {k}'; rm -f .git/refuse",
)  # fmt: skip


def _shell(command: str, folder: Path) -> tuple[int, str]:
    people = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    about = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_EDITOR": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C",
        **people,
    }
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, env=about, check=False)
    return done.returncode, done.stdout + done.stderr


def _find_false_claim(file: FileState, root: Path, first: dict[str, str]) -> str:
    """What is said of a file and is not so; "" for nothing."""
    path = root / file.path
    is_changed = file.state.value in ("edited", "written")
    if file.is_committed and _shell(f"git status --porcelain -- {file.path}", root)[1].strip():
        return "committed"
    is_in_work = file.is_committed is False and not file.is_stashed and file.state.value != "reverted"
    if is_in_work and not _shell(f"git status --porcelain --ignored -- {file.path}", root)[1].strip():
        return "not committed"
    if file.commit and not file.commit_branch and _shell(f"git merge-base --is-ancestor {file.commit} HEAD", root)[0]:
        return "in this commit"
    if is_changed and not file.is_stashed and not file.commit_branch and not path.exists():
        return "there"
    if file.state.value == "removed" and path.exists():
        return "removed"
    is_back = file.state.value == "reverted" and not file.is_stashed and file.path in first
    if is_back and (not path.exists() or path.read_text() != first[file.path]):
        return "taken back"
    return ""


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("seed", range(12))
def test_random_work_with_git_is_followed_without_a_false_claim(seed: int, tmp_path: Path) -> None:
    drawn = random.Random(seed)
    root = tmp_path / "work"
    (root / "lib").mkdir(parents=True)
    for name in FILES[:4]:
        (root / name).write_text(f"{name}\n" + "x\n" * 5)
    first = {name: (root / name).read_text() for name in FILES[:4]}
    _shell("git init -q -b main && git add -A && git commit -qm start", root)
    hook = root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n[ -e .git/refuse ] && { echo lint failed; exit 1; }\nexit 0\n")
    hook.chmod(0o755)
    work = Work(str(root))
    for step in range(12):
        name = drawn.choice(FILES)
        path = root / name
        if drawn.random() < 0.35:
            path.parent.mkdir(exist_ok=True)
            if path.exists():
                path.write_text(path.read_text() + f"line {step}\n")
                work.edit(str(path))
            else:
                path.write_text(f"new {step}\n")
                work.write(str(path))
        else:
            command = drawn.choice(COMMANDS).format(f=name, k=step)
            code, output = _shell(command, root)
            work.run(command, output, code)

        claims = {file.path: _find_false_claim(file, root, first) for file in work.files().values()}
        done = [seen.call.command or seen.call.path for seen in work.observations if seen.call]
        assert not any(claims.values()), (claims, done)


def test_a_stash_of_one_file_leaves_the_others() -> None:
    work = (
        Work().edit("cart.py").edit("ring.py").run("git stash push -m wip cart.py", "Saved working directory and index state On main: wip")
    )

    assert [path for path, state in work.files().items() if state.state.value != "reverted"] == ["ring.py"]


def test_a_file_that_git_lists_as_modified_is_not_committed() -> None:
    work = Work().edit("cart.py").run("git commit -qam x", "").run("git status --porcelain", " M cart.py")

    assert [state.is_committed for state in work.files().values()] == [False]


def test_nobody_knows_what_a_commit_in_the_background_took() -> None:
    work = Work().edit("cart.py").run("git add -A && git commit -m x &", "")

    assert [state.is_committed for state in work.files().values()] == [None]


def test_an_edit_that_another_edit_takes_back_leaves_the_file_as_it_was(script) -> None:
    script.edit("cart.py", "a", "b")
    script.edit("cart.py", "c", "d")
    script.edit("cart.py", "d", "c")
    first = state_at(script.observations).files[0]
    script.edit("cart.py", "b", "a")

    assert (first.state, first.edits) == ("edited", 1)
    assert state_at(script.observations).files[0].state == "reverted"


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        (
            "python - <<'EOF'\nfrom pathlib import Path\np = Path('cart.py')\np.write_text(p.read_text().replace('a', 'b'))\nEOF",
            ["cart.py"],
        ),
        ("node -e \"require('fs').writeFileSync('web/app.js', '1')\"", ["web/app.js"]),
        ("git apply <<'EOF'\n--- a/cart.py\n+++ b/cart.py\n@@ -1 +1 @@\n-a\n+b\nEOF", ["cart.py"]),
        ("python -c \"import sys; sys.stdout.write(open('cart.py').read())\"", []),
        ("python tools/report.py --write 'cart.py'", []),
    ],
)
def test_a_program_on_the_command_line_changes_the_file_that_it_writes(script, command: str, paths: list[str]) -> None:
    script.edit("ring.py", "a", "b")
    script.run("pytest -q", "4 passed in 0.1s")
    script.run(command)

    state = state_at(script.observations)
    assert [file.path for file in state.files][1:] == paths
    assert state.checks[0].is_stale == bool(paths)


def test_of_files_that_a_program_on_the_command_line_names_beside_what_it_writes_no_check_is_known(script) -> None:
    script.edit("cart.py", "a", "b")
    script.run("pytest -q", "4 passed in 0.1s")
    script.run("python - <<'EOF'\nopen('out.json', 'w').write(open('cart.py').read())\nEOF")

    (file,) = state_at(script.observations).files
    assert (file.checked_by, file.is_committed) == ((), None)
