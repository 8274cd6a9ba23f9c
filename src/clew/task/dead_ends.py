"""Dead ends: attempts that the agent itself gave up.

Three signs count, each of them an act or a plain word of the agent: an edit that a later edit undoes, files
that are put back by git after edits, and a sentence that says so. The reason is the failure seen just
before. What merely failed is no dead end: it may still be on its way.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from clew.records import DeadEnd, Observation
from clew.task.commands import Line, Simple
from clew.task.prompts import sentences

DEAD_ENDS_MAX = 24  # guess: more than a hand-off ever shows
EDITS_OF_FILE_MAX = 12  # guess: an edit is undone soon or not at all
FAILURE_AGE_MAX = 40  # observations between a failure and the sentence that it explains; guess
SENTENCE_CHARS_MAX = 400
BEFORE_CHARS_MIN = 24  # shorter sentences ("Fair point.") give no reason
EXCERPT_CHARS_MAX = 120

_SAID = re.compile(
    r"\b(?:(?:that|this|it|which|approach|fix|change)(?: approach| fix| change)?(?: still)? (?:did not|didn'?t|does not"
    r"|doesn'?t|won'?t|will not|is not|isn'?t)"
    r" (?:actually )?(?:work|help|working|helping)\b(?! (?:for|on|with|in|reliably|well)\b)"
    r"|(?:try|take|use|need) (?:a|an|some) (?:completely |totally |slightly )?(?:different|another|alternative|new) (?:approach"
    r"|way|strategy|tack)"
    r"|try another (?:approach|way)|let me revert|i'?ll revert|i will revert|(?:^|\bi'?m |\bi am )reverting (?:this|that|my"
    r"|the)|dead end|back to square one"
    r"|abandon(?:ing)? (?:this|that) (?:approach|attempt|idea))\b",
    re.IGNORECASE,
)
_ABOUT_OTHERS = re.compile(
    r"\b(?:why|if|when|whether|what if|in case|unless|because|users?|you can|you could|would)\b.{0,80}$", re.IGNORECASE
)
# Edits that are meant to be taken back: prints for debugging, imports that follow other edits.
_IN_PASSING = re.compile(
    r"debug|print|console\.|\blog\b|\bdbg!|^(?:added|removed) `(?:import|from|use|using|#include|require|\"|')", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Edit:
    old: str
    new: str
    seq: int


@dataclass(slots=True)
class Attempts:
    """What has been tried and not yet settled: edits by file, and the newest failure."""

    edits: dict[str, deque[_Edit]] = field(default_factory=dict[str, "deque[_Edit]"])
    failure: str = ""
    failure_seq: int = -1
    found: dict[str, DeadEnd] = field(default_factory=dict[str, DeadEnd])
    stashed: str = ""

    def fail(self, reason: str, seq: int) -> None:
        """Remember a failure: it explains what is given up after it."""
        self.failure, self.failure_seq = reason, seq

    def edit(self, path: str, old: str, new: str, observation: Observation) -> None:
        """See a successful edit; one that puts back what an earlier one replaced ends that attempt."""
        edits = self.edits.setdefault(path, deque(maxlen=EDITS_OF_FILE_MAX))
        for earlier in reversed(edits):
            if earlier.old == new and earlier.new == old and old != new:
                edits.remove(earlier)
                if not edits:
                    del self.edits[path]
                excerpt = _excerpt(earlier.old, earlier.new)
                if excerpt and not _IN_PASSING.search(excerpt):
                    reason = self._reason_since(earlier.seq)
                    self._end(f"{path}: {excerpt}, put back", reason, observation, topic=f"{path}\n{reason}")
                return
        edits.append(_Edit(old, new, observation.seq))

    def command(self, line: Line, paths: dict[str, str], observation: Observation) -> None:
        """See a successful command. `paths` gives the words of the line that name files, as this room spells them."""
        stashes = [simple for simple in line.simples if simple.words[:2] == ("git", "stash")]
        is_popped = any(stash.words[2:3] in (("pop",), ("apply",)) for stash in stashes)
        if is_popped and self.stashed:
            self.found.pop(self.stashed, None)
            self.stashed = ""
        is_moving = any(
            simple.words[:2] in (("git", "pull"), ("git", "rebase"), ("git", "merge"), ("git", "switch")) for simple in line.simples
        )
        for simple in line.simples:
            if simple.words[:2] == ("git", "commit"):
                self.edits.clear()
            elif stashes and (is_popped or is_moving or len(line.simples) > 1):
                continue
            elif undone := self._undone_by(simple, paths):
                self._give_up(simple, undone, observation)

    def say(self, text: str, observation: Observation) -> None:
        """See what the agent said; a sentence that gives an attempt up ends it."""
        if not _SAID.search(text):
            return
        before = ""
        for sentence in (part.strip(" *_#>-") for line in text[:20_000].split("\n") for part in sentences(line)):
            said = _SAID.search(sentence)
            if said and len(sentence) <= SENTENCE_CHARS_MAX and not _ABOUT_OTHERS.search(sentence[: said.start()]):
                is_recent = self.failure_seq >= 0 and observation.seq - self.failure_seq <= FAILURE_AGE_MAX
                self._end(sentence, self.failure if is_recent else before, observation, topic=sentence)
                return
            before = sentence if BEFORE_CHARS_MIN <= len(sentence) <= SENTENCE_CHARS_MAX else ""

    def _undone_by(self, simple: Simple, paths: dict[str, str]) -> list[str]:
        """The edited files that this git command puts back."""
        words = simple.words
        if words[0] != "git" or len(words) < 2 or not self.edits:
            return []
        named = [paths.get(word, word) for word in words[2:] if not word.startswith("-")]
        if words[1] == "stash":
            is_push = words[2:3] in ((), ("push",), ("-u",), ("--include-untracked",), ("save",))
            return sorted(self.edits) if is_push and self.failure_seq > self._first_seq() else []
        if words[1] == "reset":
            return sorted(self.edits) if "--hard" in words and (not named or named == ["HEAD"]) else []
        if (words[1] == "restore" and not ("--staged" in words and "--worktree" not in words)) or words[1] == "checkout":
            if "." in named:
                return sorted(self.edits)
            return [path for path in sorted(self.edits) if path in named]
        return []

    def _give_up(self, simple: Simple, undone: list[str], observation: Observation) -> None:
        first = min(edit.seq for path in undone for edit in self.edits[path])
        edits = sum(len(self.edits.pop(path)) for path in undone)
        shown = ", ".join(undone[:4]) + (f" and {len(undone) - 4} more" if len(undone) > 4 else "")
        text = f"{edits} edit{'s' if edits > 1 else ''} of {shown}, undone by `{' '.join(simple.words)[:EXCERPT_CHARS_MAX]}`"
        self._end(text, self._reason_since(first), observation, topic=text)
        if simple.words[1] == "stash":
            self.stashed = text

    def _first_seq(self) -> int:
        return min((edit.seq for edits in self.edits.values() for edit in edits), default=-1)

    def _reason_since(self, seq: int) -> str:
        return self.failure if self.failure_seq > seq else ""

    def _end(self, text: str, reason: str, observation: Observation, *, topic: str) -> None:
        """Enter a dead end; what is given up twice, or edit by edit for one reason, is one."""
        known = self.found.pop(topic, None)
        self.found[topic] = DeadEnd(known.text if known else text, reason, observation.uuid, observation.seq)
        while len(self.found) > DEAD_ENDS_MAX:
            del self.found[next(iter(self.found))]


def _excerpt(old: str, new: str) -> str:
    """The first line that an edit changed, before and after."""
    before, after = old.split("\n"), new.split("\n")
    gone = next((line.strip() for line in before if line.strip() and line not in after), "")
    come = next((line.strip() for line in after if line.strip() and line not in before), "")
    shorten = EXCERPT_CHARS_MAX
    if gone and come:
        return f"`{gone[:shorten]}` became `{come[:shorten]}`"
    if not come and not gone:
        return ""
    return f"added `{come[:shorten]}`" if come else f"removed `{gone[:shorten]}`"
