"""Vocabulary: the words by which this room recognises programs, files, and what clients write by themselves.

Lists of names from the manuals of the tools concerned; a word that is missing makes the room say less, never
something wrong. Order never matters.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What ends a file's name.
EXTENSIONS = _words("""
    py pyi pyx pxd ipynb js jsx mjs cjs ts tsx mts cts vue svelte astro go rs java kt kts scala groovy gradle clj cljs c h cc cpp cxx
    hpp hh hxx inl m mm swift cs fs vb rb rake erb php phtml pl pm lua r jl ex exs erl hrl hs ml mli elm dart nim zig sol sql graphql
    gql proto thrift sh bash zsh fish ps1 bat cmd html htm css scss sass less xml xsl svg json jsonc json5 jsonl yaml yml toml ini cfg
    conf env properties md mdx rst adoc txt tex csv tsv lock mod sum tf hcl cmake mk am ac in po pot bzl bazel nix jq y l patch diff
    log snap golden pen j2 jinja tpl tmpl hbs ejs d s asm f90 plist csproj sln
""")
FILE_NAMES = _words("""
    Makefile Dockerfile Jenkinsfile Rakefile Gemfile Procfile Vagrantfile CMakeLists.txt LICENSE README CHANGELOG CODEOWNERS justfile
""")
# First folders that make two words with a slash a path; "and/or" is none.
FOLDERS = _words("""
    src lib libs tests test testing docs doc pkg cmd internal app apps packages include scripts tools bin crates examples core api web
""")
BRANDS = _words("node.js vue.js next.js nuxt.js react.js three.js d3.js express.js ember.js asp.net socket.io e.g i.e a.k.a")
# Words that every program calls; as clues they lead everywhere.
COMMON_CALLS = _words("""
    if for while switch return and or not in is print printf println len range str int float bool list dict set tuple type super function
    catch assert raise throw new typeof sizeof open input lambda def class with elif else echo log require import main func fn match
""")

# Programs whose point is their verdict, whatever their arguments.
CHECKERS = _words("""
    pytest py.test tox nox unittest jest vitest mocha ava karma tsc vue-tsc svelte-check tsd eslint biome oxlint stylelint markdownlint
    markdownlint-cli2 ruff mypy pyright basedpyright flake8 pylint pyre ty golangci-lint staticcheck govulncheck shellcheck hadolint
    actionlint rspec rubocop phpunit phpstan psalm ctest ninja lint-imports xcodebuild swiftlint ktlint detekt clippy-driver
    cargo-nextest bats busted
""")
# Those among them that only read the files they are given; what else is changed cannot change their verdict.
READING_CHECKERS = _words("""
    eslint biome oxlint stylelint markdownlint markdownlint-cli2 ruff flake8 pylint shellcheck hadolint actionlint rubocop swiftlint ktlint
    black isort prettier gofmt
""")
# Files that no test reads.
PROSE_EXTENSIONS = _words("md mdx rst adoc txt png jpg jpeg gif svg pdf po")
# Programs that check something with these subcommands or options.
SUBCOMMANDS: dict[str, frozenset[str]] = {
    "go": _words("test build vet"),
    "cargo": _words("test build check clippy nextest bench"),
    "gradle": _words("test build check assemble"),
    "gradlew": _words("test build check assemble"),
    "mvn": _words("test verify package compile install"),
    "mvnw": _words("test verify package compile install"),
    "dotnet": _words("test build"),
    "swift": _words("test build"),
    "zig": _words("test build"),
    "mix": _words("test compile credo dialyzer"),
    "sbt": _words("test compile"),
    "bazel": _words("test build"),
    "deno": _words("test lint check"),
    "playwright": _words("test"),
    "cypress": _words("run"),
    "node": _words("--test"),
    "cmake": _words("--build"),
    "black": _words("--check"),
    "isort": _words("--check --check-only"),
    "prettier": _words("--check -c"),
    "gofmt": _words("-l -d"),
    "manage.py": _words("test check"),
    "terraform": _words("validate plan"),
}
# Programs that run a task by its name.
RUNNERS = _words("npm pnpm yarn bun mise just task make gmake rake invoke inv hatch nx turbo lerna moon composer")
# Words in front of a program that only start it.
LAUNCHERS: tuple[tuple[str, ...], ...] = (
    ("npx",), ("bunx",), ("pnpm", "exec"), ("pnpm", "dlx"), ("yarn", "exec"), ("uv", "run"), ("uvx",), ("poetry", "run"), ("pipenv", "run"),
    ("rye", "run"), ("pdm", "run"), ("bundle", "exec"), ("python", "-m"), ("python3", "-m"), ("mise", "exec"), ("mise", "x"), ("dotenv",),
)  # fmt: skip
# Words in front of a command that change how it runs, and how many of their own arguments follow.
WRAPPERS = dict.fromkeys(_words("sudo time nice nohup env command exec caffeinate"), 0) | dict.fromkeys(_words("timeout stdbuf"), 1)
# Options of checks by what they mean: only some tests; another set of things; merely followed by a value.
FILTER_OPTIONS = _words("-run -k -t -m --testNamePattern --test-name-pattern --grep -g --filter-tests --tests --test -e")
SCOPE_OPTIONS = _words("""
    -tags --features --project --filter -p --package -F --workspace --manifest-path --config -c -C --cwd --dir -w
""")
VALUE_OPTIONS = (
    FILTER_OPTIONS
    | SCOPE_OPTIONS
    | _words("""
    -timeout --timeout -count -n -j --maxfail --tb --reporter -o -r --prefix --color
""")
)
# Programs that prepare what follows, that filter what another one wrote, that show a file, that only look.
PREPARATIONS = _words("cd pushd popd export source . set echo printf sleep true false : wait mkdir pwd clear eval unset umask ulimit")
FILTERS = _words("head tail grep egrep rg sed awk sort uniq wc cut tr tee less more cat jq column xargs fold nl")
READERS = _words("cat head tail less more bat nl vim vi nano view code od xxd wc")
LOOKING_PROGRAMS = _words("""
    ls cat grep egrep rg find fd head tail sed awk wc test [ diff cmp which type stat file tree echo pwd cd jq sort uniq less man curl
    wget nc ping lsof ps pgrep pkill kill killall sleep gh ssh du df env printenv id whoami date history command open claude codex
""")
LOOKING_GIT = _words("""
    log show diff status rev-parse ls-files ls-tree branch merge-base check-ignore config blame grep cat-file remote fetch
""")

# A client's own slash commands: they steer the client, not the work.
CLIENT_COMMANDS = _words("""
    add-dir agents allowed-tools bashes bug clear compact config context copy cost doctor effort exit export extra-usage fast feedback
    help hooks ide install-github-app keybindings login logout mcp memory model output-style passes permissions plugin plugins
    privacy-settings quit rate-limit-options release-notes reload-plugins rename resume rewind sandbox skills status statusline stats
    tasks terminal-setup theme todos upgrade usage vim voice
""")
# Elements that clients put into a user's turn.
MACHINE_BLOCKS = (
    "system-reminder", "local-command-caveat", "local-command-stdout", "local-command-stderr", "bash-input", "bash-stdout", "bash-stderr",
    "task-notification", "ide_opened_file", "ide_selection", "ide_diagnostics", "new-diagnostics", "user-prompt-submit-hook",
    "command-message", "command-contents", "environment_context", "user_instructions", "turn_aborted", "skill", "permissions instructions",
    "collaboration_mode", "teammate-message", "user-memory-input", "subagent_notification", "INSTRUCTIONS",
)  # fmt: skip
