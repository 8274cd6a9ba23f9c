"""Compilers and linters: errors are evidence; of warnings the first of each rule and file tell most, and progress is noise.

tsc, gcc, clang, rustc, go, javac, eslint, ruff, flake8, pylint, mypy, pyright, golangci-lint, clippy, shellcheck, msbuild, swiftc.
"""

from __future__ import annotations

import re

from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import HEAD, KEY, LineScores

FORMS = re.compile(
    r"(?:[A-Za-z]:)?[^\s:()]{1,300}(?::\d{1,7}(?::\d{1,7})?|\(\d{1,7},\d{1,7}\))(?::| -)? {0,2}(?:fatal |- )?(?:error|warning|note"
    r"|info|[A-Z]{1,4}\d{2,6}\b)"
    r"|(?:error|warning)(?:\[\w{1,20}\])?: | {1,8}--> [^\s:]{1,300}:\d|\s{1,12}\d{1,6}:\d{1,5} {1,4}(?:error|warning) "
    r"|(?:\.{0,2}/)?[^\s:]{1,300}\.go:\d{1,7}:\d{1,5}: "
    r"|# [\w./-]{1,200}$|Found \d{1,6} errors?| {2,8}\d{0,6} ?\| | {1,12}= (?:note|help): |\d{1,7} (?:errors?|warnings?)\b|✖ \d"
    r"| {2,8}(?:/[^\s:]{1,300}|[^\s:]{1,300}\.\w{1,4}):\d{1,6}:\d{1,5} - (?:error|warning)|In file included from "
    r"|\s{3,12}(?:Compiling|Checking|Finished) \S|\[\s{0,4}\d{1,3}%\] "
)
_ESLINT = re.compile(r"^\s{1,12}\d{1,6}:\d{1,5} {1,4}(error|warning) {1,4}.{0,500}?([@\w/-]{0,80})$")
_WARNING = re.compile(r"^(?:warning(?:\[\w{1,20}\])?: |.{1,300}?[:)] ?-? ?(?:warning|note|info(?:rmation)?)\b)")
_RULE = re.compile(r"[\[(](-?[\w@/:.-]{2,60})[\])]\s*$|\b([A-Z]{1,5}\d{2,6})\b")
_PROGRESS = re.compile(
    r"^\s{0,12}(?:Compiling|Checking|Downloading|Downloaded|Fetching|Building|Updating|Locking|Adding|Fresh|Finished|Blocking) \S"
    r"|^\[\s{0,4}\d{1,6}(?:/\d{1,6}|%)\]|^(?:CC|LD|AR|CXX) {1,8}\S"
)


def score(lines: Lines, scores: LineScores) -> None:
    """Say which warnings repeat a rule, and what is progress."""
    plain = lines.plain
    rules: dict[str, int] = {}
    for at in lines.near:
        line = plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.2
        elif _PROGRESS.match(line):
            scores.drop(at, "lines of progress")
        elif line[0].isspace() and (found := _ESLINT.match(line)):
            if found[1] == "error":
                scores.keep(at, at + 1, "error", grade=2)
                _keep_file(lines, scores, at)
            else:
                times = rules[found[2]] = rules.get(found[2], 0) + 1
                scores.utility[at] = KEY / 2 if times == 1 else 1 / times
                scores.noise[at] = "warnings" if times > 3 else ""
        elif _WARNING.match(line):
            rule = (found[1] or found[2]) if (found := _RULE.search(line[-120:])) else line.partition(":")[2][-60:]
            times = rules[rule] = rules.get(rule, 0) + 1
            scores.utility[at] = KEY / 2 if times == 1 else 1 / times


def _keep_file(lines: Lines, scores: LineScores, at: int) -> None:
    """The file's name stands above its complaints."""
    for above in range(at - 1, max(-1, at - 400), -1):
        line = lines.plain[above]
        if line and not line[0].isspace():
            scores.keep(above, above + 1, "file of an error")
            scores.raise_to(above, HEAD, "file of an error")
            return


COMPILER = OutputKind(
    name="compiler or linter",
    rank=3,
    matches=FORMS.match,
    share_min=0.3,
    score=score,
    programs=(
        "tsc vue-tsc gcc g++ cc clang clang++ rustc javac kotlinc swiftc eslint ruff flake8 pylint mypy pyright basedpyright "
        "golangci-lint staticcheck biome oxlint shellcheck stylelint rubocop msbuild make cmake ninja tslint hadolint "
        "go:build go:vet cargo:build cargo:check cargo:clippy cargo:doc npm:lint pnpm:lint yarn:lint npm:build pnpm:build "
        "yarn:build npm:typecheck pnpm:typecheck yarn:typecheck dotnet:build swift:build mvn:compile gradle:build "
        "gradlew:build"
    ),
    budget=(3000, 0.25),
)
