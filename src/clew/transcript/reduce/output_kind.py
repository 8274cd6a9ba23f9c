"""A kind of output: how it is recognised, how its lines are scored, and how much of it is shown."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.scores import LineScores

# The chance that something of what is left out is used within ten calls: the upper end of the 95 % interval (Wilson) of the share
# that bench/reduce measured, of 161 outputs; kinds that are rare there count as all of them together.
RETURN_CHANCE = 0.26


@dataclass(frozen=True, slots=True)
class OutputKind:
    """One kind of output, such as a test run. Each is a module of `kinds`, with its words and numbers in a TOML file beside it.

    rank           of two kinds that an output may be, the one with the lower rank; unmistakable lines first.
    matches        returns a match for a line that looks like the kind, else None.
    share_min      share of the sampled lines that must match, when the command does not name the kind. Guesses.
    score_lines    sets the utility of each line.
    programs       commands whose output it is likely to be; `git:log` is a program with a word after it.
    budget         what is shown on arrival: the least characters, and the share of the text; None: the whole. With these an output misses
                   something that the next ten calls use about half as often as the share that it saves, or less (bench/reduce); the least
                   budgets are guesses.
    return_chance  that what is left out is asked for again, 0 to 1.
    is_quoting     its lines quote (a file, a value): places and last words in them say nothing of what happened.
    is_numbered    its failures are numbered, as mocha, rspec and PHPUnit do.
    is_text        it shows a text: recently named words mark where the work is.
    names_entries  the entries that `find_entries` returns first are named where no line of theirs is shown.
    has_odd_lines  its lines are records: one that differs from many others of its sort stays.
    find_entries   return what lines list (files, hits): as many of these are shown as a tail of the same size would show.
    """

    name: str
    rank: int
    matches: Callable[[str], object]
    share_min: float
    score_lines: Callable[[OutputLines, LineScores], None]
    programs: str = ""
    budget: tuple[int, float] | None = None
    return_chance: float = RETURN_CHANCE
    is_quoting: bool = False
    is_numbered: bool = False
    is_text: bool = False
    names_entries: bool = False
    has_odd_lines: bool = False
    find_entries: tuple[Callable[[OutputLines, Iterable[int]], set[str]], ...] = ()


def load_output_kind(
    module: str,
    score_lines: Callable[[OutputLines, LineScores], None],
    matches: Callable[[str], object] | None = None,
    *,
    find_entries: tuple[Callable[[OutputLines, Iterable[int]], set[str]], ...] = (),
    table: str = "kind",
) -> OutputKind:
    """Return the kind that a table of the TOML file beside a module describes. Raises KeyError without such a table.

    matches  None takes the file's pattern `forms`.
    """
    path = Path(module).with_suffix(".toml")
    data = tomllib.loads(path.read_text("utf-8"))[table]
    if "budget" in data:
        data["budget"] = tuple(data["budget"])
    matches = matches or PatternFile(path)["forms"].match
    return OutputKind(score_lines=score_lines, matches=matches, find_entries=find_entries, **data)
