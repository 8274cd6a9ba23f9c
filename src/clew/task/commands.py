"""Commands: what a shell command line does, as far as its words tell.

Splits a command line into simple commands (quotes, pipes and here-documents respected), recognises those
that check something (tests, builds, linters, type checkers), gives each a normal form under which a later
run of the same check is found again, and names the files that it reads and writes. Runs nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clew.task.vocabulary import (
    CHECKERS,
    FILTER_OPTIONS,
    FILTERS,
    LAUNCHERS,
    PREPARATIONS,
    PROSE_EXTENSIONS,
    READERS,
    READING_CHECKERS,
    RUNNERS,
    SCOPE_OPTIONS,
    SUBCOMMANDS,
    VALUE_OPTIONS,
    WRAPPERS,
)

COMMAND_CHARS_MAX = 20_000  # guess: longer command lines carry a document; their beginning names what runs
FORM_CHARS_MAX = 200  # guess: a normal form is read by people


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command: its words without assignments, wrappers and redirections.

    words     at least one; quotes removed.
    writes    targets of `>` and `>>`.
    is_piped  its output went into another command, so its exit status was lost.
    is_tail   it read another command's output.
    is_loose  what follows it ran (or its status was hidden) whether or not it failed: `;`, `||`, `&`, a newline.
    """

    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    is_piped: bool = False
    is_tail: bool = False
    is_loose: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """How much a check checks: two runs with the same runner and options differ only in targets and filters."""

    runner: str
    options: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def covers(self, other: Scope) -> bool:
        """Say whether a run with this scope tells everything that a run with the other one told."""
        if (self.runner, self.options) != (other.runner, other.options):
            return False
        if self.filters and self.filters != other.filters:
            return False
        if not self.targets or self.targets == other.targets:
            return True
        return bool(other.targets) and all(any(_is_under(target, base) for base in self.targets) for target in other.targets)

    def concerns(self, path: str) -> bool:
        """Say whether a change of this file may change the verdict.

        path  as the session calls it, relative or absolute.
        A test or a build with targets still runs code beside them; what only reads files concerns those that it is given.
        """
        if path.rpartition(".")[2].lower() in PROSE_EXTENSIONS:
            return False
        place = next((option[3:] for option in self.options if option.startswith("in ")), "").strip("/")
        if place and not f"/{path}".endswith(f"/{place}") and f"/{place}/" not in f"/{path}":
            return False
        if self.runner.split(" ", 1)[0] not in READING_CHECKERS or not self.targets:
            return True
        return any(_is_under(path, target) or f"/{target.removeprefix('./').rstrip('/')}" in f"/{path}" for target in self.targets)


@dataclass(frozen=True, slots=True)
class Line:
    """A whole command line.

    place    folder that `cd` led to, as written; "" for none.
    checks   the simple commands that check something.
    main     the simple command that the line is about: the last that is no filter and no preparation; None for none.
    form     normal form: what a repetition of the line shares with it.
    """

    simples: tuple[Simple, ...]
    place: str
    checks: tuple[Simple, ...]
    main: Simple | None
    form: str

    @property
    def is_status_hidden(self) -> bool:
        """The exit status is not that of the checks, so only the output tells how they ended."""
        return any(check.is_piped or check.is_loose for check in self.checks)


_TOKEN = re.compile(
    r"(?<![^\s;&|(])#[^\n]*"
    r"|(?P<op>&&|\|\|?|;;?|&(?!>)|\n|\(|\))"
    r"|(?P<out>(?:\d|&)?>>?(?:&\d?)?|<(?!<))"
    r"|(?P<word>(?:[^\s\"'\\|&;()<>]|\\.|\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?<!\d)\$\(|[\"'\\])+)"
    r"|[^\S\n]+|.",
    re.DOTALL,
)
_DOCUMENT = re.compile(r"(?<!<)<<-?[ \t]*(['\"]?)([A-Za-z_]\w{0,60})\1(?=[^\w<])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w{0,80}=")
_QUOTES = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|\\(.)", re.DOTALL)
_TASK = re.compile(
    r"(?:^|[:_\-./])(?:test|tests|spec|e2e|ci|lint|check|checks|type|types|typecheck|tsc|build|compile|verify|vet|clippy|coverage)(?:$|[:_\-.])"
)
_SCRIPT = re.compile(r"(?:^|[/_-])(?:test|tests|check|lint|ci|verify)(?:[_\-][\w-]{0,40})?(?:\.sh|\.bash|\.py|\.mjs|\.js|\.ts)?$")
_PATH = re.compile(r"[\w.@~/+-][\w.@~/+=,\[\]-]{0,300}$")


def read_line(command: str) -> Line:
    """Read a command line. Never fails: what cannot be understood becomes words. Cost: linear, about 0.1 µs a character."""
    simples = _simples(command[:COMMAND_CHARS_MAX])
    place = ""
    for simple in simples:
        if simple.words[0] in ("cd", "pushd") and len(simple.words) > 1:
            place = simple.words[1] if simple.words[1].startswith(("/", "~")) or not place else f"{place}/{simple.words[1]}"
    checks = tuple(simple for simple in simples if is_check(simple))
    telling = [simple for simple in simples if simple.words[0] not in PREPARATIONS and not (simple.is_tail and simple.words[0] in FILTERS)]
    main = telling[-1] if telling else None
    if checks:
        form = " && ".join(dict.fromkeys(" ".join(check.words) for check in checks))
    elif main:
        form = kind_of(main)
    else:
        form = " ".join(simples[-1].words[:2]) if simples else ""
    return Line(simples, place, checks, main, form[:FORM_CHARS_MAX])


def is_check(simple: Simple) -> bool:
    """Say whether a simple command's point is its verdict: it tests, builds, lints or checks types."""
    words = _launched(simple.words)
    program = words[0].rpartition("/")[2]
    rest = words[1:]
    if program in ("ruff", "biome", "cargo-fmt") and rest[:1] == ("format",):
        return "--check" in rest
    if program == "markdownlint" and "--fix" in rest:
        return False
    if program in CHECKERS:
        return not {"--version", "--help", "version", "linters", "-h"} & set(rest[:2])
    if program in SUBCOMMANDS:
        return bool(SUBCOMMANDS[program] & set(rest[:6])) and "--help" not in rest
    if program in RUNNERS:
        if program in ("make", "gmake") and not any(not word.startswith("-") and "=" not in word for word in rest):
            return True
        return any(_TASK.search(word) for word in _positional(rest) if word not in ("run", "run-script", "exec")) or rest[:1] == ("t",)
    if program in ("bash", "sh", "zsh", "python", "python3") and rest:
        if rest[0].endswith("manage.py"):
            return rest[1:2] == ("test",)
        return _SCRIPT.search(rest[0]) is not None and "/" in f"/{rest[0]}" and not rest[0].startswith("-")
    return words[0].startswith(("./", "scripts/", "bin/")) and _SCRIPT.search(words[0]) is not None


def kind_of(simple: Simple) -> str:
    """Return the first words of a command, which its repetitions share: `git push`, `docker compose up`, `python x.py`."""
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


def scope_of(check: Simple, place: str = "") -> Scope:
    """Return what a check covers; `place` (the folder it ran in) is one of its options."""
    words = _launched(check.words)
    runner = [words[0].rpartition("/")[2]]
    rest = list(words[1:])
    if runner[0] in SUBCOMMANDS or runner[0] in RUNNERS:
        while rest and not rest[0].startswith("-") and len(runner) < 3:
            runner.append(rest.pop(0))
            if runner[0] in SUBCOMMANDS or runner[-1] not in ("run", "run-script", "exec"):
                break
    options: list[str] = [f"in {place}"] if place else []
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
    return Scope(" ".join(runner), tuple(sorted(options)), tuple(sorted(filters)), tuple(targets))


def files_read(simple: Simple) -> tuple[str, ...]:
    """Paths that a simple command shows: `cat a b`, `sed -n 1,9p a`, `head -5 a`, `vim a`; as written."""
    program = simple.words[0].rpartition("/")[2]
    if program == "sed" and not any(word.startswith(("-i", "--in-place")) for word in simple.words[1:]):
        return _paths_of(_files_of_sed(simple.words[1:]))
    if program in READERS:
        return _paths_of([word for word in simple.words[1:] if not word.isdigit()])
    return ()


def files_written(simple: Simple) -> tuple[str, ...]:
    """Paths that a simple command changes: redirections, `tee a`, `sed -i … a`, `touch a`; as written."""
    program = simple.words[0].rpartition("/")[2]
    named: tuple[str, ...] = ()
    if program == "sed" and any(word.startswith(("-i", "--in-place")) for word in simple.words[1:]):
        named = _paths_of(_files_of_sed(simple.words[1:]))
    elif program in ("tee", "touch"):
        named = _paths_of(simple.words[1:])
    return (*_paths_of(simple.writes), *named)


def _files_of_sed(words: tuple[str, ...]) -> list[str]:
    """What stands behind sed's options and its script."""
    found: list[str] = []
    has_script = False
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("-e", "-f", "--expression", "--file"):
            has_script = True
            at += 1
        elif not word.startswith("-"):
            found.append(word)
        at += 1
    return found if has_script else found[1:]


def _paths_of(words: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(
        word
        for word in words
        if _PATH.match(word) and not word.startswith(("-", "/dev/")) and ("." in word or "/" in word) and word.strip("./~")
    )


def _positional(words: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "--":
            break
        elif word.startswith("-"):
            skip = word in VALUE_OPTIONS
        else:
            found.append(word)
            if len(found) > 2:
                break
    return found


def _launched(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words from the program on that a launcher starts: `npx -y jest a` gives `jest a`."""
    for launcher in LAUNCHERS:
        if words[: len(launcher)] == launcher:
            at = len(launcher)
            while at < len(words) - 1 and words[at].startswith("-"):
                at += 1
            return words[at:] if at < len(words) else words
    return words


def _is_under(target: str, base: str) -> bool:
    base = base.removesuffix("/...").rstrip("/").removeprefix("./")
    target = target.removeprefix("./")
    return base in ("", ".", "...") or target == base or target.startswith((f"{base}/", f"{base}::"))


def _simples(command: str) -> tuple[Simple, ...]:
    command = _without_documents(command.replace("\\\n", " "))
    found: list[Simple] = []
    words: list[str] = []
    writes: list[str] = []
    redirect = ""
    is_tail = False
    for token in _TOKEN.finditer(command):
        if op := token["op"]:
            if kept := _bare(words):
                found.append(Simple(tuple(kept), tuple(writes), op == "|", is_tail, op in (";", "||", "&", "\n")))
            words, writes, is_tail = [], [], op == "|"
        elif token["out"]:
            # `2>&1` names no file; the word after `<` is read, not run.
            redirect = "" if token["out"].endswith(("&", "&1", "&2")) else token["out"]
        elif word := token["word"]:
            if not redirect:
                words.append(_unquoted(word))
            elif redirect.lstrip("1&").startswith(">"):
                writes.append(_unquoted(word))
            redirect = ""
    if kept := _bare(words):
        found.append(Simple(tuple(kept), tuple(writes), is_piped=False, is_tail=is_tail, is_loose=False))
    return tuple(found)


def _without_documents(command: str) -> str:
    """The command line without the bodies of its here-documents, which may hold anything."""
    pieces: list[str] = []
    at = 0
    while document := _DOCUMENT.search(command, at):
        body = command.find("\n", document.end())
        if body < 0:
            break
        pieces.append(command[at : document.start()] + command[document.end() : body])
        end = body
        while True:  # the body ends at a line that holds the mark alone
            start = end + 1
            end = command.find("\n", start)
            line = command[start : end if end >= 0 else len(command)]
            if end < 0 or line.strip().rstrip(')"') == document[2]:
                break
        at = len(command) if end < 0 else end
        if line.strip().startswith(document[2]):
            pieces.append(line.strip()[len(document[2]) :])
    pieces.append(command[at:])
    return "".join(pieces)


def _bare(words: list[str]) -> list[str]:
    """Without assignments, wrappers, and the words of control structures in front."""
    at = 0
    while at < len(words):
        word = words[at]
        if word in WRAPPERS:
            at += 1
            while at < len(words) and words[at].startswith("-"):
                at += 1
            at += WRAPPERS[word]
        elif _ASSIGNMENT.match(word) or word in ("if", "then", "else", "do", "while", "until", "!", "{", "}", "fi", "done", "$("):
            at += 1
        else:
            break
    kept = [word for word in words[at:] if word]
    if kept[:1] == ["git"]:
        while len(kept) > 2 and kept[1].startswith("-"):  # `git -C folder status` is `git status`
            del kept[1 : 3 if kept[1] in ("-C", "-c") else 2]
    return kept


def _unquoted(word: str) -> str:
    if '"' not in word and "'" not in word and "\\" not in word:
        return word
    return _QUOTES.sub(lambda found: next(group for group in found.groups() if group is not None), word)
