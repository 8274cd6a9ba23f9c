"""Track where the work takes place: branch and folder, the pull request named last and what became of it, what was pushed.

Read from the client's record of each observation, from command lines, and from what git and gh print. What they do not print is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clew.records import CommitMade, Observation, SimpleCommand, ToolCall, WorkPlace
from clew.task.commands import CommandAnalysis

OUTPUT_CHARS_MAX = 20_000

_PUSHED = re.compile(r"^\s*[+*!= -]?\s*(?:([0-9a-f]{7,40})\.{2,3}([0-9a-f]{7,40})|\[new branch\])\s+(\S+)\s+-> (\S+)", re.MULTILINE)
_PULL_VERBS = frozenset(
    {"view", "checkout", "comment", "edit", "merge", "review", "ready", "diff", "checks", "close", "reopen", "update-branch"}
)
_PULL_ENDS = {"merge": "merged", "close": "closed", "reopen": ""}
_PULL_WAITS = re.compile(r"will be (?:automatically |added to )|auto-merge|merge queue", re.IGNORECASE)
_PULL_PATH = re.compile(r"/pulls?/(\d{1,7})\b")


@dataclass(slots=True)
class PlaceTracker:
    """Tracks branch, folder, pull request and pushes from observations of the main thread, in order."""

    _branch: str = field(default="", init=False)
    _folder: str = field(default="", init=False)
    _pull_request: str = field(default="", init=False)
    _pull_state: str = field(default="", init=False)
    _pushed: str = field(default="", init=False)

    def observe(self, observation: Observation) -> None:
        """Take the branch and the folder that the client recorded, and a pull request that it names."""
        self._branch, self._folder = observation.branch or self._branch, observation.cwd or self._folder
        if observation.tool == "pr-link" and (found := _PULL_PATH.search(observation.text)):
            self._name_pull(found[1])

    def observe_command(self, call: ToolCall, command: CommandAnalysis) -> None:
        """Take what a finished command says of pushes and pull requests."""
        output = call.output[:OUTPUT_CHARS_MAX]
        for simple in command.commands:
            if simple.words[:1] == ("gh",) and not call.is_marked_failed:
                self._observe_gh(simple, output)
            if simple.words[:2] == ("git", "push"):
                for pushed in _PUSHED.finditer(output):
                    self._pushed = f"{pushed[4]} at {pushed[2]}" if pushed[2] else f"new branch {pushed[4]}"

    def place(self, commits: tuple[CommitMade, ...] = ()) -> WorkPlace:
        """Return where the work takes place now; `commits` are those that the session made."""
        return WorkPlace(self._branch, self._folder, self._pull_request, self._pull_state, self._pushed, commits)

    def _name_pull(self, number: str) -> None:
        if number != self._pull_request:
            self._pull_request, self._pull_state = number, ""

    def _observe_gh(self, simple: SimpleCommand, output: str) -> None:
        words, number = simple.words, ""
        is_pull = words[1:2] == ("pr",)
        if is_pull and words[2:3] == ("create",):
            found = _PULL_PATH.search(output)
            number = found[1] if found else ""
        elif is_pull and words[2:3] and words[2] in _PULL_VERBS:
            number = next((word for word in words[3:] if word.isdecimal()), "")
        elif words[1:2] == ("api",) and (found := _PULL_PATH.search(" ".join(words))):
            number = found[1]
        if number:
            self._name_pull(number)
        # Away from a terminal gh prints nothing when it has merged: its status says so.
        is_over = f"#{self._pull_request} " in f"{output} " if simple.is_status_lost or not number else not simple.is_conditional
        if is_pull and self._pull_request and is_over and words[2:3] and words[2] in _PULL_ENDS:
            is_waiting = "--auto" in words or "--disable-auto" in words or _PULL_WAITS.search(output) is not None
            self._pull_state = "" if is_waiting else _PULL_ENDS[words[2]]
