"""Programs: what the output of a command is likely to be, by the words that it begins with. Hints, never more."""

from __future__ import annotations

from clew.transcript.reduce.nouns import Kind


def _by_word(table: dict[Kind, str]) -> dict[str, Kind]:
    return {word: kind for kind, words in table.items() for word in words.split()}


PROGRAMS = _by_word(
    {
        Kind.TEST: """
            pytest py.test unittest nose2 tox nox jest vitest mocha ava playwright cypress karma rspec minitest phpunit pest ctest
            prove bats behave cucumber gotestsum nextest
        """,
        Kind.COMPILER: """
            tsc vue-tsc gcc g++ cc clang clang++ rustc javac kotlinc swiftc eslint ruff flake8 pylint mypy pyright basedpyright
            golangci-lint staticcheck biome oxlint shellcheck stylelint rubocop msbuild make cmake ninja tslint hadolint
        """,
        Kind.PACKAGES: """
            pip pip3 uv poetry pipenv conda npm yarn pnpm bun apt apt-get apk dnf yum brew gem bundle composer docker podman
        """,
        Kind.LISTING: "ls find fd tree exa eza locate",
        Kind.SEARCH: "grep egrep fgrep rg ag ack",
        Kind.JSON: "jq yq",
        Kind.LOG: "journalctl dmesg logcat",
    }
)
# A program with a word after it; these go before the program alone.
SUBCOMMANDS = _by_word(
    {
        Kind.TEST: """
            go:test cargo:test cargo:nextest npm:test pnpm:test yarn:test bun:test mvn:test gradle:test gradlew:test dotnet:test
            swift:test mix:test rake:test make:test deno:test flutter:test bazel:test
        """,
        Kind.COMPILER: """
            go:build go:vet cargo:build cargo:check cargo:clippy cargo:doc npm:lint pnpm:lint yarn:lint npm:build pnpm:build yarn:build
            npm:typecheck pnpm:typecheck yarn:typecheck dotnet:build swift:build mvn:compile gradle:build gradlew:build
        """,
        Kind.PACKAGES: "go:mod go:get go:install cargo:install cargo:add cargo:update",
        Kind.DIFF: "git:diff gh:diff",
        Kind.GIT: """
            git:log git:status git:show git:blame git:branch git:stash git:reflog git:fetch git:pull git:push git:merge git:rebase
            git:checkout git:commit git:shortlog
        """,
        Kind.SEARCH: "git:grep",
        Kind.LISTING: "git:ls-files git:ls-tree",
        Kind.LOG: "docker:logs podman:logs kubectl:logs",
    }
)
