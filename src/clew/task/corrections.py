"""Correct a task state by what the user said of its claims, by hand and not in the conversation.

A correction names a claim by the record that the claim rests on and by its words, so one that is said, run or refused anew is a new claim
and stands. Pure: the same state and the same corrections give the same state, whether it was kept or made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from clew.records import ClaimPart, Correction, EndedRequest, TaskState

ENDED_BY_HAND = "the user ended it by hand"
DONE_BY_HAND = "the user said that it is done"

T = TypeVar("T")


def apply_corrections(state: TaskState, corrections: Iterable[Correction], said_s: Mapping[str, int] | None = None) -> TaskState:
    """Return the state as the user corrected it, the earliest correction first.

    said_s  seconds since 1970 at which a record was written, by uuid: a rule of all sessions ends where it was said before that.
    """
    for each in corrections:
        state = _apply(state, each, said_s or {})
    return state


def _apply(state: TaskState, each: Correction, said_s: Mapping[str, int]) -> TaskState:
    def is_meant(uuid: str, words: str) -> bool:
        return uuid == each.uuid and words == each.words

    match each.part:
        case ClaimPart.RULE:
            wanted = " ".join(each.words.lower().split())

            def is_rule(uuid: str, words: str) -> bool:
                if not each.is_everywhere:
                    return is_meant(uuid, words)
                return " ".join(words.lower().split()) == wanted and said_s.get(uuid.partition(":")[0], 0) * 10**9 <= each.at_ns

            rules = _changed(
                state.constraints,
                lambda rule: is_rule(rule.uuid, rule.text),
                lambda rule: replace(rule, text=each.now, probability=1.0),
                each,
            )
            return replace(state, constraints=rules)
        case ClaimPart.REQUEST:
            found = [goal for goal in state.goals if is_meant(goal.uuid, goal.text)]
            if each.now:
                goals = _changed(state.goals, lambda goal: goal in found, lambda goal: replace(goal, text=each.now), each)
                return replace(state, goals=goals)
            known = {ended.request.uuid for ended in state.ended}
            how = DONE_BY_HAND if each.is_done else ENDED_BY_HAND
            ended = (EndedRequest(goal, not each.is_done, how, goal.uuid) for goal in found if goal.uuid not in known)
            return replace(state, ended=(*state.ended, *ended))
        case ClaimPart.DONE:
            return replace(state, ended=tuple(one for one in state.ended if not is_meant(one.request.uuid, one.request.text)))
        case ClaimPart.CHECK:
            return replace(
                state,
                checks=tuple(check for check in state.checks if not is_meant(check.uuid, check.command)),
                files=tuple(
                    replace(file, checked_by=tuple(check for check in file.checked_by if check.uuid != each.uuid)) for file in state.files
                ),
            )
        case ClaimPart.ERROR:
            return replace(state, open_errors=tuple(error for error in state.open_errors if not is_meant(error.uuid, error.subject)))
        case ClaimPart.DEAD_END:
            ends = _changed(state.dead_ends, lambda end: is_meant(end.uuid, end.text), lambda end: replace(end, text=each.now), each)
            return replace(state, dead_ends=ends)
        case ClaimPart.DECISION:
            replies = _changed(
                state.replies, lambda reply: is_meant(reply.uuid, reply.text), lambda reply: replace(reply, text=each.now, chosen=""), each
            )
            return replace(state, replies=replies)


def _changed(claims: tuple[T, ...], is_meant: Callable[[T], bool], change: Callable[[T], T], each: Correction) -> tuple[T, ...]:
    """The claims, with other words for those that are meant, or without them."""
    return tuple(change(claim) if is_meant(claim) else claim for claim in claims if each.now or not is_meant(claim))
