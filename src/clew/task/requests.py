"""Track the user's requests in a session: which is the last, what the user replied to the agent, which are done or cancelled, and why.

A reply displaces no request. A request is done where the agent's last words of its turn say so, after work on it, and nothing
contradicts them: no question, no open step, no failed check. Otherwise nothing is claimed. Bounded, but for the user's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clew.records import (
    AgentMessage,
    AgentReport,
    CheckResult,
    EndedRequest,
    Observation,
    OpenError,
    PlanStep,
    UserReply,
    UserStatement,
    Verdict,
)
from clew.task.bounded import drop_oldest
from clew.task.completion import find_completion, is_all_done
from clew.task.replies import Reply, asks_user, find_asked, find_proposal, is_assent, is_cancelling_all, is_doubt, read_reply

GOALS_MAX = 64  # guess: the first and the newest 63
REPLIES_MAX = 48  # guess
REPORTS_MAX, MESSAGES_MAX = 8, 24  # guess
ADDITION_CHARS_MAX = 1000  # more words than these stand for themselves; of 151 additions in recorded sessions 5 had more, none was one
ENDED_OPEN = ("pending", "in_progress")


@dataclass(slots=True)
class RequestTracker:
    """Tracks requests and replies from what the user and the agent say, passed to it in order."""

    goals: list[UserStatement] = field(default_factory=list[UserStatement], init=False)
    ended: dict[str, EndedRequest] = field(default_factory=dict[str, EndedRequest], init=False)  # by the request's words
    _replies: dict[str, UserReply] = field(default_factory=dict[str, UserReply], init=False)  # by what they answer
    _reports: dict[str, AgentReport] = field(default_factory=dict[str, AgentReport], init=False)
    _messages: list[AgentMessage] = field(default_factory=list[AgentMessage], init=False)
    _is_last_word: bool = field(default=False, init=False)  # nothing was called since the agent's message
    _is_stopped: bool = field(default=False, init=False)
    _has_acted: bool = field(default=False, init=False)  # since the last prompt, a call changed or ran something

    @property
    def replies(self) -> tuple[UserReply, ...]:
        """The user's replies, each question's latest, newest last."""
        return tuple(self._replies.values())

    @property
    def reports(self) -> tuple[AgentReport, ...]:
        """What subagents reported last."""
        return tuple(self._reports.values())

    @property
    def messages(self) -> tuple[AgentMessage, ...]:
        """The agent's last messages."""
        return tuple(self._messages)

    @property
    def _message(self) -> str:
        return self._messages[-1].text if self._messages else ""

    def observe_message(self, observation: Observation) -> None:
        """Take a message of the agent."""
        if observation.text.strip():
            if self._message == observation.text:
                self._messages.pop()
            self._messages.append(AgentMessage(observation.text, observation.uuid, observation.seq))
            del self._messages[:-MESSAGES_MAX]
            self._is_last_word = True

    def observe_call(self) -> None:
        """Take note of a call of the agent: its last message was not its last word."""
        self._is_last_word = False

    def observe_action(self) -> None:
        """Take note of a call that succeeded in changing or running something."""
        self._has_acted = True

    def observe_report(self, title: str, text: str, observation: Observation) -> None:
        """Take what a subagent reported."""
        if text.strip():
            self._reports.pop(title, None)
            self._reports[title] = AgentReport(title, text, observation.uuid, observation.seq)
            drop_oldest(self._reports, REPORTS_MAX)

    def observe_answer(self, asked: str, answer: str, detail: str, observation: Observation) -> None:
        """Take an answer to the tool that asks the user."""
        self._add(UserReply(asked, answer, detail, observation.uuid, observation.seq, is_typed=False))

    def hear(self, words: str, observation: Observation, current: EndedRequest | None) -> bool:
        """Take what the user typed; return whether it is a request of its own.

        current  the state of the last request before these words, see `find_end`.
        """
        reply = read_reply(words, self._message)
        if reply is None and is_assent(words):
            reply = Reply()
        is_request = not self.goals or reply is None or reply.is_request
        is_answer = self._is_last_word and (reply is not None or asks_user(self._message))
        if self.goals and (reply is not None or is_answer):
            chosen = "\n".join(option.text for option in reply.chosen) if reply else ""
            asked = find_proposal(self._message) if reply is not None and not reply.is_request else find_asked(self._message)
            self._add(UserReply(asked, words, chosen, observation.uuid, observation.seq))
        if is_request:
            self._request(words, observation, current)
        self._is_last_word = False
        return is_request

    def find_end(self, plan: Sequence[PlanStep], checks: Sequence[CheckResult], errors: Sequence[OpenError]) -> EndedRequest | None:
        """Return that the last request is done, with its evidence; None where nothing says so, or anything says otherwise."""
        if not self.goals or not self._is_last_word or not self._has_acted or any(step.status in ENDED_OPEN for step in plan):
            return None
        request = self.goals[-1]
        since = [check for check in checks if check.seq > request.seq]
        if any(check.verdict is Verdict.FAILED for check in since) or any(error.seq > request.seq for error in errors):
            return None
        said = find_completion(self._message)
        if not said:
            return None
        passed = [check for check in since if check.verdict is Verdict.PASSED and not check.is_stale]
        return EndedRequest(request, False, said, self._messages[-1].uuid, passed[-1] if passed else None)

    def is_plan_done(self) -> bool:
        """Return whether the agent's last word, after work, is that all of its plan is done."""
        return self._is_last_word and self._has_acted and is_all_done(self._message)

    def observe_stop(self) -> None:
        """Take note that the user stopped the agent's work."""
        self._is_stopped = True

    def _request(self, words: str, observation: Observation, current: EndedRequest | None) -> None:
        is_continuation = bool(self.goals) and (observation.is_steering or self._is_stopped) and len(words) <= ADDITION_CHARS_MAX
        self._is_stopped = False
        if self.goals and is_cancelling_all(words):
            is_continuation = False
            self._end(EndedRequest(self.goals[-1], True, words, observation.uuid))
        elif self.goals and is_doubt(words):
            self.ended.pop(self.goals[-1].text, None)
        elif current:
            self._end(current)
        again = [goal for goal in self.goals if goal.text == words]
        if again and self.goals[-1].text == words:  # typed once more: it continues what it continued before, not itself
            is_continuation = again[-1].is_continuation
        times = 1 + sum(goal.times for goal in again)
        self.goals = [goal for goal in self.goals if goal.text != words]
        self.ended.pop(words, None)
        self.goals.append(UserStatement(words, observation.uuid, observation.seq, is_continuation=is_continuation, times=times))
        if len(self.goals) > GOALS_MAX:
            del self.goals[1]
        self._has_acted = self._has_acted and is_continuation

    def _end(self, ended: EndedRequest) -> None:
        self.ended[ended.request.text] = ended
        drop_oldest(self.ended, GOALS_MAX)

    def _add(self, reply: UserReply) -> None:
        key = reply.asked or reply.uuid
        self._replies.pop(key, None)
        self._replies[key] = reply
        drop_oldest(self._replies, REPLIES_MAX)
