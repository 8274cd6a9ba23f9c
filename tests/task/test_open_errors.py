"""Which failures are still open, and what closes them."""

from __future__ import annotations

import pytest

from clew.task.tracker import state_at

RED_GO = "--- FAIL: TestTotal (0.01s)\n    cart_test.go:9: got 3, want 4\nFAIL\nFAIL\tshop/cart\t0.2s"
GREEN_GO = "ok  \tshop/cart\t0.2s"


def open_subjects(script) -> list[str]:
    return [error.subject for error in state_at(script.observations).open_errors]


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("go test ./cart", GREEN_GO),
        ("go test ./...", GREEN_GO),
        ("go test -race -run 'TestTotal' ./cart", GREEN_GO),
        ("go test -run 'TestTax|TestTotal$' -v ./cart", f"--- PASS: TestTotal (0.01s)\n{GREEN_GO}"),
        ("mise run test", GREEN_GO),
    ],
)
def test_a_failed_test_is_closed_by_a_run_that_tells_it_anew(script, command: str, output: str) -> None:
    script.run("go test ./cart", f"Exit code 1\n{RED_GO}", fails=True)
    assert open_subjects(script) == ["check:go test ./cart"]

    script.edit("cart/cart.go", "return total", "return round(total)")
    script.run(command, output)
    assert open_subjects(script) == []


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("go test ./tax", "ok  \tshop/tax\t0.2s"),
        ("go test -run TestTax ./cart", GREEN_GO),
        ("golangci-lint run ./...", "0 issues."),
        ("git stash && go test ./cart; git stash pop", GREEN_GO),
        ("cd ../other && go test ./...", GREEN_GO),
        ("go build ./...", ""),
    ],
)
def test_another_check_closes_nothing(script, command: str, output: str) -> None:
    script.run("go test ./cart", f"Exit code 1\n{RED_GO}", fails=True)
    script.run(command, output)

    assert open_subjects(script) == ["check:go test ./cart"]


def test_a_failed_build_is_closed_by_tests_that_pass_as_they_build_it(script) -> None:
    script.run("go build ./...", "Exit code 1\ncart/cart.go:9:2: undefined: round", fails=True)
    script.edit("cart/cart.go", "round(total)", "math.Round(total)")
    script.run("go test ./...", GREEN_GO)

    assert open_subjects(script) == []


def test_a_wider_run_that_fails_replaces_the_failure_of_a_narrower_one(script) -> None:
    script.run("go test ./cart", f"Exit code 1\n{RED_GO}", fails=True)
    script.run("go test ./...", "Exit code 1\n--- FAIL: TestTax (0.01s)\nFAIL\nFAIL\tshop/tax\t0.2s", fails=True)

    assert open_subjects(script) == ["check:go test ./..."]


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("staticcheck ./...", "Exit code 127\nzsh: command not found: staticcheck"),
        ("golangci-lint run --disable-all", "Exit code 3\nError: unknown flag: --disable-all"),
        (
            "pnpm --filter web typecheck",
            'Exit code 1\nERR_PNPM_RECURSIVE_RUN_NO_SCRIPT  None of the selected packages has a "typecheck" script',
        ),
        ("npm run lint:all", 'Exit code 1\nnpm error Missing script: "lint:all"'),
        ("cargo test", "Exit code 101\nerror: could not find `Cargo.toml` in `/home/ada/shop` or any parent directory"),
        (
            "git add notes.md && git commit -m notes",
            "Exit code 1\nThe following paths are ignored by one of your .gitignore files:\nnotes.md",
        ),
        ("make run args=(", "Exit code 1\nzsh:1: parse error near `('"),
        ("ls build", "Exit code 1\nls: build: No such file or directory"),
        ("grep -rn frobnicate src", "Exit code 1"),
        ("git status", "Exit code 128\nfatal: unable to read 1a2b3c4"),
        ("sh -c 'grep x y'", "Exit code 1"),
    ],
)
def test_what_never_ran_or_only_looked_leaves_nothing_open(script, command: str, output: str) -> None:
    script.run(command, output, fails=True)

    assert open_subjects(script) == []


def test_a_merge_is_open_until_a_commit_ends_it_also_within_a_line(script) -> None:
    script.run("git fetch && git merge origin/main", "Exit code 1\nCONFLICT (content): Merge conflict in cart.py", fails=True)
    script.user("take ours in the cart")
    assert open_subjects(script) == ["command:git merge"]

    script.run("git add cart.py && git commit --no-edit && git push", "[fix 1a2b3c4] Merge\n")
    assert open_subjects(script) == []


def test_a_command_that_others_replaced_is_let_go_and_a_refused_commit_is_not(script) -> None:
    script.run("pnpm add left-pad", "Exit code 1\nERR_PNPM_UNEXPECTED_STORE  Unexpected store location", fails=True)
    script.run("git commit -m 'pad'", "Exit code 1\nhusky - pre-commit script failed (code 1)", fails=True)
    script.run("pnpm install", "done")
    script.run("pnpm exec pad", "done")

    assert open_subjects(script) == ["command:git commit"]


def test_what_failed_is_open_as_long_as_nothing_changes(script) -> None:
    script.run("make image", "Exit code 1\nerror: no route to host", fails=True)
    script.run("go test ./cart", f"Exit code 1\n{RED_GO}", fails=True)
    script.user("where is the tax computed?")
    script.user("and who calls the basket?")
    script.user("please list all callers of the basket")

    assert open_subjects(script) == ["command:make image", "check:go test ./cart"]


def test_nobody_knows_of_a_failure_after_changes_for_two_other_requests(script) -> None:
    script.run("make image", "Exit code 1\nerror: no route to host", fails=True)
    script.run("go test ./cart", f"Exit code 1\n{RED_GO}", fails=True)
    script.edit("cart/cart.go", "return total", "return round(total)")
    script.user("now write the changelog entry for the rounding")
    assert open_subjects(script) == ["check:go test ./cart"]

    script.user("and rename the module to basket everywhere")
    assert open_subjects(script) == []
