"""Analyse a shell command line without running it.

Finds which of its commands check something (tests, builds, linters, type checkers), which files it reads, changes and removes, and
whether it changes nothing, searches, or loads from the web. The names of programs are data: `programs.toml`. A command that is not
understood counts as one that changes something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from clew.records import FileTouch, SimpleCommand
from clew.task.git import GitEffectKind, parse_git_effect
from clew.task.shell import COMMAND_CHARS_MAX, parse_shell
from clew.task.vocabulary import EXTENSIONS, load_toml

FORM_CHARS_MAX = 200  # guess: a normal form is read by people

_DATA = load_toml("programs.toml")


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


def _table(name: str) -> dict[str, frozenset[str]]:
    return {program: frozenset(words.split()) for program, words in _DATA[name].items()}


CHECKS, READING_CHECKS, CHECKS_WITH = _words("checks"), _words("reading_checks"), _table("checks_with")
RUNNERS, PREPARATIONS, FILTERS, READERS = _words("runners"), _words("preparations"), _words("filters"), _words("readers")
LOOKS, ASKS, GIT_ASKS, SEARCHES, FINDS = _words("looks"), _words("asks"), _words("git_asks"), _words("searches"), _words("finds")
WEB, FORMATTERS = _words("web"), _words("formatters")
INTERPRETERS, INLINE_OPTIONS, INLINE_WRITES = _words("interpreters"), _words("inline_options"), _words("inline_writes")
GIT_LOOKS, GIT_LOOKS_BARE, GIT_LOOKS_WITH = _words("git_looks"), _words("git_looks_bare"), _table("git_looks_with")
GH_LOOKS, GH_WRITES, CURL_WRITES, FIND_WRITES = _words("gh_looks"), _words("gh_writes"), _words("curl_writes"), _words("find_writes")
VERSIONS, PROSE_EXTENSIONS = _words("versions"), _words("prose_extensions")
FILTER_OPTIONS, SCOPE_OPTIONS = _words("filter_options"), _words("scope_options")
VALUE_OPTIONS = FILTER_OPTIONS | SCOPE_OPTIONS | _words("value_options")
LAUNCHERS = tuple(tuple(words.split()) for words in _DATA["launchers"])
WRAPPERS, STARTS_NOTHING, VALUES_OF_WRAPPERS = _words("wrappers"), _words("starts_nothing"), _words("values_of_wrappers")

_TOUCHES = {"read": "read", "edit": "edit", "write": "write", "touch": "write"}
_COUNTS = ("-n", "-c", "--lines", "--bytes")  # options whose value is no file
_RANGE = re.compile(r"(\d{1,9})(?:,(\d{1,9}|\$))?p")
_TASK = re.compile(
    r"(?:^|[:_\-./])(?:test|tests|spec|e2e|ci|lint|check|checks|type|types|typecheck|tsc|build|compile|verify|vet|clippy|coverage)(?:$|[:_\-.])"
)
_GRADLE_TASK = re.compile(r"(?:^|:)(?:test|check|build|assemble|compile|lint|verify|detekt)\w*$|(?:Test|Check|Lint|Tests)$")
_SCRIPT = re.compile(r"(?:^|[/_-])(?:test|tests|check|lint|ci|verify)(?:[_\-][\w-]{0,40})?(?:\.sh|\.bash|\.py|\.mjs|\.js|\.ts)?$")
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?$")
_SUITE = re.compile(r"\bPkg\.test\(|\b(?:devtools|testthat|rcmdcheck|covr)::\w")  # in a program that is given as an argument
_QUOTED_WORD = re.compile(r"([\"'])([^\"'\s]{1,200})\1")
_PATCHED = re.compile(r"^\+\+\+ (?:b/)?([^\s'\"]{1,300})", re.MULTILINE)
_STANDARD_STREAM = re.compile(r"\bstd(?:out|err)\.write\(")
_PATH = re.compile(r"[\w.@~/+-][\w.@~/+=,\[\]-]{0,300}$")


@dataclass(frozen=True, slots=True)
class ShownFileRange:
    """The lines of a file that a command prints, 1-based `start` to `end`; end 0 is the end of the file, start 0 an unknown place."""

    path: str
    start: int = 1
    end: int = 0


@dataclass(frozen=True, slots=True)
class CheckScope:
    """What one run of a check (tests, linter, …) covers: its runner and options, and the targets and filters that narrow it."""

    runner: str
    options: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def covers(self, other: CheckScope) -> bool:
        """Return whether a run with this scope checks everything that a run with the other one checks."""
        if (self.runner, self.options) != (other.runner, other.options):
            return False
        if self.filters and self.filters != other.filters:
            return False
        if not self.targets or self.targets == other.targets:
            return True
        return bool(other.targets) and all(any(_is_under(target, base) for base in self.targets) for target in other.targets)

    def is_affected_by(self, path: str) -> bool:
        """Return whether a change of this file, named by a relative or absolute path, may change the check's result.

        A test or a build with targets still runs other code; a check that only reads files depends on its targets alone.
        """
        if path.rpartition(".")[2].lower() in PROSE_EXTENSIONS:
            return False
        folder = next((option[3:] for option in self.options if option.startswith("in ")), "").strip("/")
        if folder and not f"/{path}".endswith(f"/{folder}") and f"/{folder}/" not in f"/{path}":
            return False
        if self.runner.split(" ", 1)[0] not in READING_CHECKS or not self.targets:
            return True
        return any(_is_under(path, target) or f"/{target.removeprefix('./').rstrip('/')}" in f"/{path}" for target in self.targets)


@dataclass(frozen=True, slots=True)
class CommandAnalysis:
    """What a shell command line does, as `analyse_command` infers it from the words.

    commands     its simple commands, in order.
    folder       that `cd` led to, as written; "" for none.
    checks       those of its commands that check something: tests, builds, linters, type checkers.
    main         the last command that is neither a filter behind a pipe nor a preparation such as `cd`; None for none.
    form         normal form, the same for a repetition of the line.
    touches      files that it names as read or written; relative ones are relative to the folder in which it was called.
    changes      files that it certainly changes, deletes or restores; relative ones are relative to `folder`.
    removes      those of them that it deletes.
    shown        the one file that it prints, where it does nothing else.
    is_read_only it changes nothing, so it can be run again for a newer answer.
    is_query     its main command only reads or searches, so its failure is no failure of the work.
    is_search    it searches in files.
    finds_files  its output lists files that were found.
    is_web       it loads text from the web.
    """

    commands: tuple[SimpleCommand, ...] = ()
    folder: str = ""
    checks: tuple[SimpleCommand, ...] = ()
    main: SimpleCommand | None = None
    form: str = ""
    touches: tuple[FileTouch, ...] = ()
    changes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    shown: ShownFileRange | None = None
    is_read_only: bool = False
    is_query: bool = True
    is_search: bool = False
    finds_files: bool = False
    is_web: bool = False

    def normal_form_in(self, folder: str) -> str:
        """Return the normal form of the line in a folder: equal for two runs of the same checks in the same folder."""
        return f"cd {folder} && {self.form}" if folder and self.checks else self.form

    def check_scopes(self, folder: str) -> list[CheckScope]:
        """Return the scope of each of its checks, run in `folder`."""
        return [parse_check_scope(check, folder) for check in self.checks]


def analyse_command(command: str) -> CommandAnalysis:
    """Return what a shell command line does, inferred from its words. Never fails. Cost: about 0.2 ms, once for each text."""
    return _understood(command[:COMMAND_CHARS_MAX])  # cut first, because what was asked is kept


@lru_cache(maxsize=1 << 11)
def _understood(command: str) -> CommandAnalysis:
    line = parse_shell(command)
    commands = line.commands
    folder = ""
    touches: list[FileTouch] = []
    changes: list[str] = []
    removes: list[str] = []
    shown: list[ShownFileRange | None] = []
    is_look, is_search, is_web = bool(commands) and line.is_whole, False, False
    for simple in commands:
        if simple.program in ("cd", "pushd") and len(simple.words) > 1:
            folder = _in_folder(folder, simple.words[1])
        written = list(find_changed_files(simple))
        read = ((path, "read") for path in find_read_files(simple))
        touches.extend(FileTouch(path, _TOUCHES[how]) for path, how in (*read, *written) if how in _TOUCHES and is_path(path))
        changes.extend(path for path, how in written if how != "touch" and not path.startswith(("/dev/", "&")) and not path.isdigit())
        removes.extend(path for path, how in written if how == "remove")
        if simple.program in ("cd", "pushd", "set", "export"):
            continue
        is_look = is_look and _looks(simple)
        is_search = is_search or (not simple.reads_pipe and (simple.program in SEARCHES or simple.words[:2] == ("git", "grep")))
        is_web = is_web or simple.program in WEB
        if simple.reads_pipe and shown:
            shown[-1] = _narrowed(shown[-1], simple)
        else:
            shown.append(_shown(simple))
    checks = tuple(simple for simple in commands if is_check(simple))
    main = _main(commands)
    is_look = is_look and not changes and not checks
    return CommandAnalysis(
        commands,
        folder,
        checks,
        main,
        _form(commands, checks, main),
        tuple(FileTouch(_in_folder(folder, touch.path), touch.how) for touch in touches),
        tuple(changes),
        tuple(removes),
        shown[0] if len(shown) == 1 and is_look else None,
        is_look,
        main is None or is_query_command(main),
        is_search and not checks,
        main is not None and (main.program in FINDS or main.words[:2] == ("git", "grep")),
        is_web,
    )


def makes_commit(command: str) -> bool:
    """Return whether a shell command line asks git for a commit."""
    effects = (parse_git_effect(simple) for simple in parse_shell(command).commands)
    return any(effect is not None and effect.kind is GitEffectKind.COMMIT for effect in effects)


def _in_folder(folder: str, path: str) -> str:
    return path if path.startswith(("/", "~")) or not folder else f"{folder}/{path}"


def _main(commands: Sequence[SimpleCommand]) -> SimpleCommand | None:
    telling = [
        simple for simple in commands if simple.words[0] not in PREPARATIONS and not (simple.reads_pipe and simple.words[0] in FILTERS)
    ]
    return next((simple for simple in reversed(telling) if not simple.is_substituted), telling[-1] if telling else None)


def _form(commands: Sequence[SimpleCommand], checks: Sequence[SimpleCommand], main: SimpleCommand | None) -> str:
    if checks:
        form = " && ".join(dict.fromkeys(" ".join(check.words) for check in checks))
    elif main:
        form = command_name(main)
    else:
        form = " ".join(commands[-1].words[:2]) if commands else ""
    return form[:FORM_CHARS_MAX]


# Checks.


_LISTS = frozenset(("--listTests", "--list-tests", "--collect-only", "--co", "--list"))  # options by which a test runner runs nothing


def is_check(simple: SimpleCommand) -> bool:
    """Return whether a command checks something: it tests, builds, lints or checks types."""
    return _checks(simple.words) or _started_check(simple.words) is not None


def _checks(said: tuple[str, ...]) -> bool:
    """Say whether these words, behind a launcher, are those of a check."""
    words = _launched(said)
    program, rest = words[0].rpartition("/")[2], words[1:]
    if _LISTS & set(rest):
        return False
    if program in ("ruff", "biome", "cargo-fmt") and rest[:1] == ("format",):
        return "--check" in rest
    if program == "markdownlint" and "--fix" in rest:
        return False
    if program in CHECKS:
        return not {"--version", "--help", "version", "linters", "-h"} & set(rest[:2])
    if program in ("gradle", "gradlew"):
        return any(_GRADLE_TASK.search(word) for word in rest if not word.startswith("-"))
    if program in CHECKS_WITH:
        return bool(CHECKS_WITH[program] & set(rest[:6])) and "--help" not in rest
    if program in RUNNERS:
        if program in ("make", "gmake") and not any(not word.startswith("-") and "=" not in word for word in rest):
            return True
        named = rest if program == "nx" else _positional(rest[1:] if rest[:1] == ("-r",) else rest)
        return any(_TASK.search(word) for word in named if word not in ("run", "run-script", "exec")) or rest[:1] == ("t",)
    if program in ("bash", "sh", "zsh", "python", "python3") and rest:
        if rest[0].endswith("manage.py"):
            return bool(CHECKS_WITH["manage.py"] & set(rest[1:2]))
        return _SCRIPT.search(rest[0]) is not None and not rest[0].startswith("-")
    if program in ("julia", "Rscript", "R"):
        return any(_SUITE.search(word) for word in rest)
    return words[0].startswith(("./", "scripts/", "bin/")) and _SCRIPT.search(words[0]) is not None


def _started_check(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words of a check that another program starts: `docker compose run app pytest`, `xargs eslint`; None for none."""
    if words[0].rpartition("/")[2] not in WRAPPERS:
        return None
    before = ""
    for at, word in enumerate(words[1:10], 1):
        if word in STARTS_NOTHING:
            return None
        if not word.startswith("-") and before not in VALUES_OF_WRAPPERS and _checks(words[at:]):
            return words[at:]
        before = word
    return None


def parse_check_scope(check: SimpleCommand, folder: str = "") -> CheckScope:
    """Return the scope of a check (a test run, a linter, …) from its words; `folder`, in which it ran, counts as an option."""
    words = _launched(check.words)
    if not _checks(words):
        words = _launched(_started_check(check.words) or words)
    runner = [words[0].rpartition("/")[2]]
    rest = list(words[1:])
    options: list[str] = [f"in {folder}"] if folder else []
    if runner[0] in RUNNERS and rest[:1] in (["-r"], ["--recursive"]):
        options.append(rest.pop(0))
    if runner[0] in CHECKS_WITH or runner[0] in RUNNERS:
        while rest and not rest[0].startswith("-") and len(runner) < 3:
            runner.append(rest.pop(0))
            if runner[0] in CHECKS_WITH or runner[-1] not in ("run", "run-script", "exec"):
                break
    filters: list[str] = []
    targets: list[str] = []
    at = 0
    while at < len(rest):
        word = rest[at]
        name, _, value = word.partition("=")
        takes_value = name in VALUE_OPTIONS and not value and at + 1 < len(rest) and not rest[at + 1].startswith("-")
        if takes_value:
            at += 1
            value = rest[at]
        if name in FILTER_OPTIONS and word.startswith("-"):
            filters.append(f"{name}={value}")
        elif name in SCOPE_OPTIONS:
            options.append(f"{name}={value}")
        elif not word.startswith("-") and not takes_value:
            targets.append(word)
        at += 1
    return CheckScope(" ".join(runner), tuple(sorted(options)), tuple(sorted(filters)), tuple(targets))


def command_name(simple: SimpleCommand) -> str:
    """Return the first words of a command, without options: `git push`, `docker compose up`, `python x.py`."""
    words = _launched(simple.words)
    depth = 3 if words[0] in ("docker", "kubectl", "gh", "aws", "gcloud", "pnpm", "npm", "yarn") else 2
    kept = [words[0].rpartition("/")[2]]
    for word in words[1:]:
        if len(kept) >= depth:
            break
        if not word.startswith("-"):
            if kept[0] in FILTERS or kept[0] in READERS or " " in word or "\n" in word:
                break
            kept.append(word)
    return " ".join(kept)[:FORM_CHARS_MAX]


def _positional(words: Sequence[str]) -> Iterator[str]:
    """The first few words that are neither options nor their values."""
    rest = iter(words)
    count = 0
    for word in rest:
        if word == "--" or count > 2:
            return
        if not word.startswith("-"):
            count += word not in ("run", "run-script", "exec", "foreach")
            yield word
        elif word in VALUE_OPTIONS:
            next(rest, None)


def _launched(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words from the program on that launchers start: `uv run python -m pytest a` gives `pytest a`."""
    if _PYTHON.match(words[0].rpartition("/")[2]):
        words = ("python", *words[1:])
    elif words[0] == "php" and len(words) > 1 and not words[1].startswith("-"):
        words = words[1:]
    for launcher in LAUNCHERS:
        if words[: len(launcher)] == launcher:
            at = len(launcher)
            while at < len(words) - 1 and words[at].startswith("-"):
                at += 1
            return _launched(words[at:]) if at < len(words) else words
    return words


def _is_under(target: str, base: str) -> bool:
    base = base.removesuffix("/...").rstrip("/").removeprefix("./")
    target = target.removeprefix("./")
    return base in ("", ".", "...") or target == base or target.startswith((f"{base}/", f"{base}::"))


# Looks.


def is_query_command(simple: SimpleCommand) -> bool:
    """Return whether a command only reads or searches (`grep`, `ls`, `git log`), so that finding nothing is no failure."""
    if simple.program == "git":
        return simple.words[1:2] != () and simple.words[1] in GIT_ASKS
    return simple.program in ASKS


def _looks(simple: SimpleCommand) -> bool:
    """These words change nothing."""
    program, words = simple.program, simple.words
    if program == "git":
        plain = _plain(words[1:])
        if not plain or plain[0] in GIT_LOOKS:
            return True
        rest = words[words.index(plain[0]) + 1 :]
        return (not rest and plain[0] in GIT_LOOKS_BARE) or not GIT_LOOKS_WITH.get(plain[0], frozenset()).isdisjoint(rest)
    if program == "gh":
        return GH_WRITES.isdisjoint(words) if "api" in words[1:3] else not GH_LOOKS.isdisjoint(words[1:4])
    if program == "sed":
        return not _edits_in_place(words)
    if program == "find":
        return FIND_WRITES.isdisjoint(words)
    if program in ("curl", "wget"):
        return CURL_WRITES.isdisjoint(words)
    if program == "gofmt":
        return "-w" not in words
    return program in LOOKS or words[-1] in VERSIONS


def _shown(simple: SimpleCommand) -> ShownFileRange | None:
    """The file that a command shows, None where it shows several, none, or something else."""
    program, words = simple.program, simple.words
    if program == "sed":
        files = _plain(words[1:])
        if len(files) == 2 and "-n" in words and (found := _RANGE.fullmatch(files[0])) and not _is_glob(files[1]):
            return _ranged(files[1], found)
        return None
    files = _files(words[1:])
    if len(files) != 1 or _is_glob(files[0]):
        return None
    if program in ("cat", "less", "more", "bat", "nl"):
        return ShownFileRange(files[0])
    return ShownFileRange(files[0], *_span(program, words)) if program in ("head", "tail") else None


def _narrowed(before: ShownFileRange | None, simple: SimpleCommand) -> ShownFileRange | None:
    """What is left of a shown file behind a filter."""
    if before is None:
        return None
    program, words = simple.program, simple.words
    is_all = before == ShownFileRange(before.path)
    if program == "sed" and is_all:
        files = _plain(words[1:])
        found = _RANGE.fullmatch(files[0]) if len(files) == 1 and "-n" in words else None
        return _ranged(before.path, found) if found else None
    if program in ("head", "tail") and not _files(words[1:]):
        start, end = _span(program, words)
        if program == "head" and before.start == 1 and start:
            return ShownFileRange(before.path, start, min(end, before.end or end))
        return ShownFileRange(before.path, start, end) if is_all and program == "tail" else ShownFileRange(before.path, 0, 0)
    return before if program in ("cat", "nl") else None


def _ranged(path: str, found: re.Match[str]) -> ShownFileRange:
    start = int(found[1])
    return ShownFileRange(path, start, 0 if found[2] == "$" else int(found[2] or start))


def _span(program: str, words: Sequence[str]) -> tuple[int, int]:
    """First and last line that `head` or `tail` lets through; (0, 0) where that depends on the file."""
    lines = "10"
    for at, word in enumerate(words[1:], 1):
        if word in ("-n", "--lines") and at + 1 < len(words):
            lines = words[at + 1]
        elif word.startswith("-n") and len(word) > 2:
            lines = word[2:]
        elif word.startswith("-") and word[1:].isdigit():
            lines = word[1:]
        elif word.startswith(("-c", "--bytes")):
            return 0, 0
    if program == "head" and _is_number(lines):
        return 1, int(lines)
    if program == "tail" and lines.startswith("+") and _is_number(lines[1:]):
        return int(lines[1:]), 0
    return 0, 0


# Files.


def find_read_files(simple: SimpleCommand) -> list[str]:
    """Return the paths of the files that a command prints or opens, as written: `cat a b`, `sed -n 1,9p a`, `vim a`."""
    found: Sequence[str] = ()
    if simple.program == "sed" and not _edits_in_place(simple.words):
        found = _files_of_sed(simple.words[1:])
    elif simple.program in READERS:
        found = [word for word in simple.words[1:] if not word.isdigit()]
    return [word for word in found if is_path(word)]


def find_changed_files(simple: SimpleCommand) -> Iterator[tuple[str, str]]:
    """Yield the files that a command changes, as written, and how.

    Returns  pairs with "write", "edit", "touch", "remove", or "other" for what moves or brings back.
    """
    program, words = simple.program, simple.words
    for path in simple.writes:
        yield path, "edit" if program == "sed" else "write"
    plain = _files_of_sed(words[1:]) if program == "sed" else _plain(words[1:])
    files = [word for word in plain if not _is_glob(word)]
    if program == "sed":
        how, files = "edit", files if _edits_in_place(words) else []
    elif program in ("tee", "touch"):
        how = "write" if program == "tee" else "touch"
    elif program in ("rm", "unlink"):
        how = "remove"
    elif program == "git" and files and files[0] in ("checkout", "restore", "rm", "mv"):
        how = "remove" if files[0] == "rm" else "other"
        if "--" in words:
            files = list(words[words.index("--") + 1 :])
        elif files[0] == "checkout":  # of a branch changes files too, but nobody says which
            files = [word for word in files[1:] if "." in word and word.rpartition(".")[2] in EXTENSIONS]
        else:
            files = files[1:]
    elif program in ("mv", "truncate", "shred"):
        how = "other"
    elif program in ("cp", "install") and len(files) > 1:
        how, files = "other", files[-1:]
    elif program in FORMATTERS and not {"-w", "--write", "--fix"}.isdisjoint(words):
        how, files = "other", [word for word in files if "." in word.rpartition("/")[2].strip(".")]
    else:
        return
    for path in files:
        yield path, how


def find_files_of_inline_code(line: str, command: CommandAnalysis) -> list[tuple[str, bool]]:
    """Return the files, as written, that a patch or a program on the command line changes: `git apply <<EOF`, `python - <<EOF`.

    Returns  pairs with whether it is certain: a program that names several files may only read some of them.
    """
    if any(_applies_patch(simple) for simple in command.commands):
        return [(name, True) for name in dict.fromkeys(_PATCHED.findall(line)) if name != "/dev/null"]
    code = _STANDARD_STREAM.sub("", line)
    if not any(word in code for word in INLINE_WRITES):
        return []
    is_inline = any(
        simple.program in INTERPRETERS and (len(simple.words) == 1 or not INLINE_OPTIONS.isdisjoint(simple.words[1:3]))
        for simple in command.commands
    )
    quoted = dict.fromkeys(name for _, name in _QUOTED_WORD.findall(line) if is_path(name)) if is_inline else ()
    names = [name for name in quoted if name.rpartition(".")[2] in EXTENSIONS]
    return [(name, len(names) == 1) for name in names]


def _applies_patch(simple: SimpleCommand) -> bool:
    is_apply = simple.words[:2] == ("git", "apply") and {"--check", "--stat", "--numstat", "--summary"}.isdisjoint(simple.words)
    return is_apply or (simple.program == "patch" and "--dry-run" not in simple.words)


def _edits_in_place(words: Sequence[str]) -> bool:
    return any(word.startswith(("-i", "--in-place")) or word in ("-ni", "-Ei", "-ri") for word in words[1:])


def _files_of_sed(words: Sequence[str]) -> list[str]:
    """What stands behind sed's options and its script."""
    found: list[str] = []
    has_script = False
    rest = iter(words)
    for word in rest:
        if word in ("-e", "-f", "--expression", "--file"):
            has_script = True
            next(rest, None)
        elif not word.startswith("-"):
            found.append(word)
    return found if has_script else found[1:]


def _plain(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def _files(words: Sequence[str]) -> list[str]:
    """The words that are neither flags nor counts of lines or bytes."""
    return [word for before, word in zip(("", *words), words, strict=False) if not word.startswith("-") and before not in _COUNTS]


def is_path(word: str) -> bool:
    """Return whether a word of a command looks like the path of a file."""
    return bool(_PATH.match(word)) and not word.startswith(("-", "/dev/")) and ("." in word or "/" in word) and bool(word.strip("./~"))


def _is_glob(word: str) -> bool:
    return any(char in word for char in "*?[{$`(")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10
