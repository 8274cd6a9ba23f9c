"""The views of the page, one module each. A view takes what is asked and returns HTML; one that changes something returns where to go."""

from __future__ import annotations

from clew.adapters.page.views import actions, bill, code, compactions, evaluation, health, memory, now, prompts, sessions, trial
from clew.adapters.page.views.view import View

VIEWS: tuple[tuple[str, View], ...] = (
    ("/", sessions.list_sessions),
    ("/sessions/{session}", sessions.show_state),
    ("/sessions/{session}/lines", sessions.show_lines),
    ("/sessions/{session}/compactions", compactions.show_preview),
    ("/sessions/{session}/compactions/record", compactions.show_record),
    ("/sessions/{session}/prompts", prompts.show_prompts),
    ("/sessions/{session}/bill", bill.show_session_bill),
    ("/memory", memory.show_memory),
    ("/records/{workspace}/{handle}", memory.show_record),
    ("/now", now.show_now),
    ("/code", code.show_code),
    ("/bill", bill.show_bill),
    ("/eval", evaluation.show_eval),
    ("/trial", trial.show_trial),
    ("/health", health.show_health),
)
POSTS: tuple[tuple[str, View], ...] = (
    ("/actions/{action}/cancel", actions.cancel),
    ("/bill/start", bill.start_bill),
    ("/eval/start", evaluation.start_eval),
    ("/trial/measure", trial.start_measuring),
    ("/sessions/{session}/mark", compactions.mark),
    ("/sessions/{session}/noise", prompts.mark_noise),
    ("/sessions/{session}/correct", sessions.correct),
    ("/memory/remember", memory.remember),
    ("/records/{workspace}/{handle}/forget", memory.forget),
    ("/records/{workspace}/{handle}/purge", memory.purge),
)
