"""Claude Code: where it keeps its records, what its hooks and the mod say, and the words in which they are answered.

Where the mod is at work in a session, the hooks of prompts and of tool calls are answered nothing, because the mod asks the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from clew.adapters.clients import Answer
from clew.records import Observation, ObservationKind, ToolCall, ToolKind
from clew.sessions.live import LiveSession, WindowUsage
from clew.sessions.policy import SessionPolicy
from clew.settings import claude_code_home, client_folders
from clew.task.cuts import cut_of
from clew.transcript.dialects.claude_code import CLEW_TOOL_PREFIXES, DIALECT
from clew.transcript.dialects.claude_code import parse_tool_result as answered
from clew.transcript.session_files import read_spilled_file

if TYPE_CHECKING:
    from clew.adapters.doctor import Check

MODS_SINCE = (2, 1, 330)  # the first release whose mods were tried
TRIED = ((2, 1, 197), (2, 1, 330), (2, 1, 332))
ASKED_WITHIN_S = 10.0
MOD_TRUSTED_S = 10.0  # a mod that has just said hello belongs to the session that starts now; guess
BEHIND_BYTES_MAX = 4 << 20  # of the file behind a cut output, while the agent waits; a longer one comes with the transcript. Guess
FOLDER_NAME_CHARS_MAX = 200  # of a project folder; the client cuts a longer name there and appends a hash of its own

Version = tuple[int, int, int]
Payload = dict[str, Any]
_NOT_PLAIN = re.compile(r"[^a-zA-Z0-9]")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class ClaudeCodeClient:
    """Claude Code, as a Client."""

    title = "Claude Code"

    def home(self) -> Path:
        """Return the folder in which it keeps its settings and records."""
        return claude_code_home()

    def transcripts_of(self, root: Path) -> Path | None:
        """Return the folder of the transcripts of sessions that were started in `root`, None where there is none, or more than one."""
        found = self._folders(root)
        return found[0] if len(found) == 1 else None

    def transcript_folders(self) -> list[Path]:
        """Return the folders of the transcripts of all repositories."""
        projects = self.home() / "projects"
        return sorted(folder for folder in projects.iterdir() if folder.is_dir()) if projects.is_dir() else []

    def transcript_of(self, cwd: str, session: str) -> str:
        """Return where the transcript of a session that was started in `cwd` lies, or will lie; "" where that is not known."""
        files = [folder / f"{session}.jsonl" for folder in (self._folders(Path(cwd)) if cwd else ())]
        return str(next((file for file in files if file.is_file()), files[0])) if files else ""

    def _folders(self, root: Path) -> list[Path]:
        """The folders that may hold the transcripts of a repository: of a long path the client's own hash is not known."""
        name = _NOT_PLAIN.sub("-", os.path.normpath(root))
        projects = self.home() / "projects"
        if len(name) <= FOLDER_NAME_CHARS_MAX:
            return [projects / name] if (projects / name).is_dir() else []
        return sorted(folder for folder in projects.glob(f"{name[:FOLDER_NAME_CHARS_MAX]}-*") if folder.is_dir())

    def session_in(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return what a payload says of its session."""
        said = {"name": payload.get("session_id"), "cwd": payload.get("cwd"), "transcript": payload.get("transcript_path")}
        return {name: str(value or "") for name, value in said.items()}

    def handlers(self, policy: SessionPolicy) -> Mapping[str, Callable[[Payload, LiveSession], Answer]]:
        """Return what answers each hook, by its event's name, and each question of the mod, by `mod/` and its name."""
        answers = {
            "SessionStart": _started, "UserPromptSubmit": _prompted, "PostToolUse": _used, "Stop": _turn_ended, "SubagentStop": _turn_ended,
            "SessionEnd": _session_ended, "FileChanged": _file_changed, "CwdChanged": _folder_changed,
        }  # fmt: skip
        of_mod = {"hello": _hello, "prompt": _mod_prompt, "append": _mod_append, "compact": _mod_compact}
        return {
            **{name: partial(answer, policy) for name, answer in answers.items()},
            **{f"mod/{name}": partial(_from_mod, answer, policy) for name, answer in of_mod.items()},
        }

    def undelivered(self, policy: SessionPolicy, event: str, answer: Answer, live: LiveSession) -> None:
        """Take note that an answer has reached nobody."""
        if event == "SessionStart":
            said = answer.get("hookSpecificOutput") if isinstance(answer, dict) else None
            policy.start_undelivered(live, str(_mapping(said).get("additionalContext") or ""))
        elif event in ("UserPromptSubmit", "mod/prompt"):
            policy.prompt_undelivered(live)
        elif event in ("PostToolUse", "mod/append"):
            policy.output_undelivered(live)

    def checks(self) -> Sequence[Check]:
        """Return what `clew doctor` looks at of it."""
        from clew.adapters.claude_code.checks import CHECKS  # lazy: only there

        return CHECKS

    def window_in(self, payload: Mapping[str, Any]) -> WindowUsage | None:
        """Return what the client says of its window and of its cache; None where it says nothing of either."""
        window, cache = _mapping(payload.get("context_window")), _mapping(payload.get("prompt_cache"))
        if not window and not cache:
            return None
        usage = _mapping(window.get("current_usage"))
        used, is_warm = _number(window.get("used_percentage")), cache.get("warm")
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        return WindowUsage(
            tokens=int(sum(_number(usage.get(name)) or 0 for name in names)),
            limit_tokens=int(_number(window.get("context_window_size")) or 0),
            used=None if used is None else used / 100,
            cache_hits=_number(cache.get("hit_ratio")),
            is_warm=is_warm if isinstance(is_warm, bool) else None,
        )


CLIENT = ClaudeCodeClient()


# -- Hooks ------------------------------------------------------------------------------------------


def _started(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    source = str(payload.get("source") or "startup")
    if source in ("startup", "resume") and time.time() - live.mod_at > MOD_TRUSTED_S:
        live.mod_at = 0.0  # another client may have resumed it, one that has no mods
    begun = policy.started(live, source)
    said = {"additionalContext": begun.text, "watchPaths": begun.watched}
    given = {name: value for name, value in said.items() if value}
    return {"hookSpecificOutput": {"hookEventName": "SessionStart", **given}} if given else {}


def _prompted(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    if live.mod_at or payload.get("agent_id"):
        return {}
    text = policy.prompted(live, str(payload.get("prompt") or ""))
    return {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": text}} if text else {}


def _used(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    policy.file_changed(live, edited_file(payload))
    shown = _shorter(policy, payload, live, "" if live.mod_at else text_in(payload))
    return {"hookSpecificOutput": {"hookEventName": "PostToolUse", **with_text(payload, shown)}} if shown else {}


def _turn_ended(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    if payload.get("hook_event_name") == "Stop":
        if live.is_started and not live.mod_at:
            policy.context.later("hooks", lambda: _write_all_hooks(policy))
        live.said_last = ""
        policy.turn_ended(live, str(payload.get("last_assistant_message") or ""))
    else:
        policy.turn_ended(live)
    return {}


def _write_all_hooks(policy: SessionPolicy) -> None:
    """Have the next session ask about prompts by hooks: no mod has spoken in one, as the plugin was written to expect."""
    from clew.adapters.claude_code import plugin_files  # lazy: it renders the tools, which a prompt need not wait for
    from clew.adapters.claude_code.install import manifest  # lazy: likewise
    from clew.adapters.places import Places  # lazy: likewise

    places = Places(policy.context.settings.home)
    if plugin_files.marker(places).is_file() and plugin_files.write_all_hooks(places, map(Path, manifest(places).trees)):
        policy.context.problem("plugin", "a session ran without the mod that was expected; from the next one on hooks do its work")


def _session_ended(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    policy.session_ended(live, str(payload.get("reason") or "other"))
    return {}


def _file_changed(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    policy.file_changed(live, str(payload.get("file_path") or payload.get("path") or ""))
    return {}


def _folder_changed(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    policy.folder_changed(live, str(payload.get("new_cwd") or payload.get("cwd") or ""))
    return {}


# -- The mod ----------------------------------------------------------------------------------------


def _from_mod(
    answer: Callable[[SessionPolicy, Payload, LiveSession], Answer], policy: SessionPolicy, payload: Payload, live: LiveSession
) -> Answer:  # fmt: skip
    live.mod_at = time.time()
    return answer(policy, payload, live)


def _hello(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:  # noqa: ARG001  every question is put in one way
    return {"is_ready": True}


def _mod_prompt(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    return {"context": policy.prompted(live, str(payload.get("prompt") or "")) or None}


def _mod_append(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    is_error = payload.get("is_error")
    text = str(payload.get("text") or "")
    return {"text": _shorter(policy, payload, live, text, is_error=is_error if isinstance(is_error, bool) else None) or None}


def _mod_compact(policy: SessionPolicy, payload: Payload, live: LiveSession) -> Answer:
    """Our own messages for the window after a compaction; None, so that the client summarises, where there is too little to tell."""
    live.transcript = live.transcript or CLIENT.transcript_of(live.cwd, live.id)
    text = "" if payload.get("agent_id") else policy.compacted(
        live, window_chars=int(payload.get("window_chars") or 0),
        said_last=str(payload.get("said_last") or ""), instructions=str(payload.get("instructions") or ""),
    )  # fmt: skip
    return {"messages": [{"role": "user", "content": text}] if text else None}


# -- What a payload says of a tool's call --------------------------------------------------------------


def _shorter(policy: SessionPolicy, payload: Payload, live: LiveSession, text: str, *, is_error: bool | None = None) -> str:
    """The text that stands for a tool's output, "" where it stays as it is."""
    if not policy.wants_output(live, text):
        return ""
    is_cut, file = cut_in(payload, text)
    transcript = live.transcript or CLIENT.transcript_of(live.cwd, live.id)
    behind = read_spilled_file(Path(file), client_folders(transcript), bytes_max=BEHIND_BYTES_MAX) if file else None
    result = result_of(payload, text, at_ns=time.time_ns(), is_error=is_error)
    return policy.output_arrived(live, result, is_cut=is_cut, behind=behind)


def result_of(payload: dict[str, Any], text: str, *, at_ns: int = 0, is_error: bool | None = None) -> Observation:
    """Return the result that a PostToolUse payload, or the mod, speaks of, with its call and the text that the agent would read."""
    call, exit_code = asked_in(payload), _exit_code(payload)
    return Observation(
        session=str(payload.get("session_id") or ""),
        seq=1,
        record_index=1,
        uuid=f"{call.id}:{ObservationKind.RESULT}",
        kind=ObservationKind.RESULT,
        text=text,
        tool=call.tool,
        call_id=call.id,
        is_error=is_error,
        exit_code=exit_code,
        agent=str(payload.get("agent_id") or ""),
        cwd=call.cwd,
        at_ns=at_ns,
        call=replace(call, result=answered(call.tool, text, is_error=is_error, exit_code=exit_code)),
    )


def asked_in(payload: dict[str, Any]) -> ToolCall:
    """Return what the call of a payload asks for."""
    inputs = payload.get("tool_input")
    call = DIALECT.build_tool_call(str(payload.get("tool_name") or ""), dict(_mapping(inputs)), msgspec.json.encode(inputs or {}).decode())
    return replace(call, id=str(payload.get("tool_use_id") or ""), cwd=str(payload.get("cwd") or ""))


def _exit_code(payload: dict[str, Any]) -> int | None:
    """0 for a command of which the client says nothing else: one that fails comes by another hook."""
    if not asked_in(payload).command or not isinstance(payload.get("tool_response"), dict):
        return None
    told = _mapping(payload.get("tool_response"))
    return None if told.get("interrupted") or told.get("returnCodeInterpretation") or told.get("backgroundTaskId") else 0


def cut_in(payload: dict[str, Any], text: str) -> tuple[bool, str]:
    """Whether the client had cut a tool's answer before it handed it over, and the file in which it keeps the whole, "" for none.

    text  the part of the answer that the agent would read.
    """
    kept = _mapping(payload.get("tool_response")).get("persistedOutputPath")
    if isinstance(kept, str) and kept:
        return True, kept
    cut = cut_of(text)
    return cut is not None, cut.path if cut is not None else ""


def text_in(payload: dict[str, Any]) -> str:
    """The part of a tool's answer that may be long and may be shortened in its own shape; "" for a tool whose shape has none."""
    answer = payload.get("tool_response")
    call = asked_in(payload)
    if call.tool.startswith(CLEW_TOOL_PREFIXES):
        return ""
    if call.command and isinstance(answer, dict):
        return str(cast("dict[str, object]", answer).get("stdout") or "")
    if call.is_foreign and isinstance(answer, str):
        return answer
    return ""


def with_text(payload: dict[str, Any], text: str) -> dict[str, Any]:
    """The hook's output that puts `text` in place of what `text_in` gave, all other fields as the tool answered them."""
    answer = payload["tool_response"]
    if isinstance(answer, str):
        return {"updatedMCPToolOutput": text}
    return {"updatedToolOutput": {**cast("dict[str, Any]", answer), "stdout": text}}


def edited_file(payload: dict[str, Any]) -> str:
    """The file that a call has written, "" for none."""
    call = asked_in(payload)
    return call.path if call.kind in (ToolKind.EDIT, ToolKind.WRITE) else ""


# -- Which release is it? ------------------------------------------------------------------------------


def version_in(said: str) -> Version | None:
    """Return the version that a text names first, None for none."""
    match = _VERSION.search(said)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def version_of(program: str) -> Version | None:
    """Return the version that the program says of itself, None where it says none. Raises OSError, subprocess.TimeoutExpired."""
    return version_in(subprocess.run([program, "--version"], capture_output=True, text=True, timeout=ASKED_WITHIN_S, check=False).stdout)


def has_mods(program: str | None) -> bool:
    """Whether the client that is installed runs mods; False where there is none, or it does not say which it is."""
    if program is None:
        return False
    try:
        version = version_of(program)
    except (OSError, subprocess.TimeoutExpired):  # then it is set up as one that has none, which works for both
        return False
    return version is not None and version >= MODS_SINCE


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
