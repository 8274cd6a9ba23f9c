"""Adapter for Claude Code: its files, the payloads of its hooks and of clew's mod inside it, and their answers.

In a session where the mod runs, hooks of prompts and tool outputs are answered with nothing, because the mod asks the same.
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

from clew.adapters.clients import HookAnswer, parse_path, parse_session_name
from clew.records import Observation, ObservationKind, ToolCall, ToolKind
from clew.sessions.live import LiveSession, WindowUsage
from clew.sessions.policy import SessionPolicy
from clew.settings import claude_code_dir, claude_code_output_dirs
from clew.task.truncation import parse_truncation_notice
from clew.transcript.dialects.claude_code import CLEW_TOOL_PREFIXES, DIALECT
from clew.transcript.dialects.claude_code import parse_tool_result as answered
from clew.transcript.dialects.values import int_or_zero, text_or_empty
from clew.transcript.session_files import read_spilled_file

if TYPE_CHECKING:
    from clew.adapters.doctor import DoctorCheck

MODS_MIN_VERSION = (2, 1, 330)  # the first release whose mods were tried
TESTED_VERSIONS = ((2, 1, 197), (2, 1, 330), (2, 1, 332))
VERSION_TIMEOUT_S = 10.0
MOD_FRESH_S = 10.0  # a mod that has just said hello belongs to the session that starts now; guess
SPILLED_BYTES_MAX = 4 << 20  # of the file behind a cut output, while the agent waits; a longer one comes with the transcript. Guess
FOLDER_NAME_CHARS_MAX = 200  # of a project folder; the client cuts a longer name there and appends a hash of its own

ClientVersion = tuple[int, int, int]
HookPayload = dict[str, Any]
_NOT_PLAIN = re.compile(r"[^a-zA-Z0-9]")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class ClaudeCodeAdapter:
    """Claude Code as a ClientAdapter."""

    title = "Claude Code"

    def config_dir(self) -> Path:
        """Return the folder of its settings and records (CLAUDE_CONFIG_DIR, else ~/.claude)."""
        return claude_code_dir()

    def find_transcript_dir(self, root: Path) -> Path | None:
        """Return the folder with the transcripts of sessions started in `root`; None where there is none, or more than one may be it."""
        found = self._folders(root)
        return found[0] if len(found) == 1 else None

    def list_transcript_dirs(self) -> list[Path]:
        """Return the transcript folders of all repositories, sorted."""
        projects = self.config_dir() / "projects"
        return sorted(folder for folder in projects.iterdir() if folder.is_dir()) if projects.is_dir() else []

    def find_transcript(self, cwd: str, session: str) -> str:
        """Return the path at which the transcript of a session started in `cwd` is or will be; "" where that is unknown."""
        files = [folder / f"{session}.jsonl" for folder in (self._folders(Path(cwd)) if cwd else ())]
        return str(next((file for file in files if file.is_file()), files[0])) if files else ""

    def _folders(self, root: Path) -> list[Path]:
        """Return the folders that may hold a repository's transcripts: of a long path the client's hash is unknown."""
        name = _NOT_PLAIN.sub("-", os.path.normpath(root))
        projects = self.config_dir() / "projects"
        if len(name) <= FOLDER_NAME_CHARS_MAX:
            return [projects / name] if (projects / name).is_dir() else []
        return sorted(folder for folder in projects.glob(f"{name[:FOLDER_NAME_CHARS_MAX]}-*") if folder.is_dir())

    def parse_session(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return `name`, `cwd` and `transcript` of the session that a payload belongs to, "" for what it lacks."""
        return {
            "name": parse_session_name(payload.get("session_id")),
            "cwd": parse_path(payload.get("cwd")),
            "transcript": parse_path(payload.get("transcript_path")),
        }

    def build_handlers(self, policy: SessionPolicy) -> Mapping[str, Callable[[HookPayload, LiveSession], HookAnswer]]:
        """Return the handler of each hook by its event's name, and of each request of the mod by `mod/` and its name."""
        answers = {
            "SessionStart": _on_session_start, "UserPromptSubmit": _on_prompt, "PostToolUse": _on_tool_use,
            "PreToolUse": _on_tool_start, "Stop": _on_turn_end, "SubagentStop": _on_turn_end,
            "SessionEnd": _on_session_end, "FileChanged": _on_file_change, "CwdChanged": _on_folder_change,
        }  # fmt: skip
        of_mod = {"hello": _on_mod_hello, "prompt": _on_mod_prompt, "append": _on_mod_append, "compact": _on_mod_compact}
        return {
            **{name: partial(answer, policy) for name, answer in answers.items()},
            **{f"mod/{name}": partial(_from_mod, answer, policy) for name, answer in of_mod.items()},
        }

    def record_undelivered(self, policy: SessionPolicy, event: str, answer: HookAnswer, live: LiveSession) -> None:
        """Tell the session policy which kind of answer did not reach the client: hand-off, prompt context or shortened output."""
        if event == "SessionStart":
            said = answer.get("hookSpecificOutput") if isinstance(answer, dict) else None
            policy.record_undelivered_start(live, text_or_empty(_mapping(said).get("additionalContext")))
        elif event in ("UserPromptSubmit", "mod/prompt"):
            policy.record_undelivered_prompt(live)
        elif event in ("PostToolUse", "mod/append"):
            policy.record_undelivered_output(live)
        elif event == "PreToolUse":
            policy.record_undelivered_check(live)

    def doctor_checks(self) -> Sequence[DoctorCheck]:
        """Return the checks of Claude Code that `clew doctor` runs."""
        from clew.adapters.claude_code.checks import CLAUDE_CODE_CHECKS  # lazy: only there

        return CLAUDE_CODE_CHECKS

    def parse_window_usage(self, payload: Mapping[str, Any]) -> WindowUsage | None:
        """Return the tokens, limit and cache state of the client's window; None where the payload has neither window nor cache."""
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


CLIENT = ClaudeCodeAdapter()


# -- Hooks ------------------------------------------------------------------------------------------


def _on_session_start(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    source = text_or_empty(payload.get("source")) or "startup"
    if source in ("startup", "resume") and time.time() - live.mod_at > MOD_FRESH_S:
        live.mod_at = 0.0  # another client may have resumed it, one that has no mods
    begun = policy.start_session(live, source)
    said = {"additionalContext": begun.text, "watchPaths": begun.watched_paths}
    given = {name: value for name, value in said.items() if value}
    return {"hookSpecificOutput": {"hookEventName": "SessionStart", **given}} if given else {}


def _on_prompt(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    if live.mod_at or payload.get("agent_id"):
        return {}
    text = policy.build_prompt_context(live, text_or_empty(payload.get("prompt")))
    return {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": text}} if text else {}


def _on_tool_use(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    policy.schedule_file_update(live, find_edited_path(payload))
    shown = _reduce(policy, payload, live, "" if live.mod_at else find_reducible_text(payload))
    return {"hookSpecificOutput": {"hookEventName": "PostToolUse", **build_replacement(payload, shown)}} if shown else {}


def _on_tool_start(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    """Answer before a commit with what it probably lacks; never with a decision, so that the client goes on."""
    command = parse_call(payload).command
    if "commit" not in command:
        return {}
    from clew.task.commands import makes_commit  # lazy: a parser, for commits alone

    text = policy.check_work(live) if makes_commit(command) else ""
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": text}} if text else {}


def _on_turn_end(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    if payload.get("hook_event_name") == "Stop":
        if live.is_started and not live.mod_at:
            policy.context.schedule("hooks", lambda: _restore_full_hooks(policy))
        live.said_last = ""
        policy.end_turn(live, text_or_empty(payload.get("last_assistant_message")))
    policy.end_turn(live)
    return {}


def _restore_full_hooks(policy: SessionPolicy) -> None:
    """Write all hooks again for the next session: the plugin was written for a client with mods, and none ran in this session."""
    from clew.adapters.claude_code import plugin_files  # lazy: it renders the tools, which a prompt need not wait for
    from clew.adapters.claude_code.manifest import read_manifest  # lazy: likewise
    from clew.adapters.daemon_files import DaemonPaths  # lazy: likewise

    paths = DaemonPaths(policy.context.settings.data_dir)
    if plugin_files.installation_marker(paths).is_file() and plugin_files.write_full_hooks(paths, map(Path, read_manifest(paths).trees)):
        policy.context.record_error("plugin", "a session ran without the mod that was expected; from the next one on hooks do its work")


def _on_session_end(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    policy.end_session(live, text_or_empty(payload.get("reason")) or "other")
    return {}


def _on_file_change(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    policy.schedule_file_update(live, parse_path(payload.get("file_path")) or parse_path(payload.get("path")))
    return {}


def _on_folder_change(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    policy.change_folder(live, parse_path(payload.get("new_cwd")) or parse_path(payload.get("cwd")))
    return {}


# -- The mod ----------------------------------------------------------------------------------------


def _from_mod(
    answer: Callable[[SessionPolicy, HookPayload, LiveSession], HookAnswer], policy: SessionPolicy, payload: HookPayload, live: LiveSession
) -> HookAnswer:  # fmt: skip
    live.mod_at = time.time()
    return answer(policy, payload, live)


def _on_mod_hello(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:  # noqa: ARG001  every question is put in one way
    return {"is_ready": True}


def _on_mod_prompt(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    return {"context": policy.build_prompt_context(live, text_or_empty(payload.get("prompt"))) or None}


def _on_mod_append(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    is_error = payload.get("is_error")
    text = text_or_empty(payload.get("text"))
    return {"text": _reduce(policy, payload, live, text, is_error=is_error if isinstance(is_error, bool) else None) or None}


def _on_mod_compact(policy: SessionPolicy, payload: HookPayload, live: LiveSession) -> HookAnswer:
    """Answer with the messages for the window after a compaction; with None, so that the client summarises, where too little is known."""
    live.transcript = live.transcript or CLIENT.find_transcript(live.cwd, live.id)
    text = "" if payload.get("agent_id") else policy.compact_window(
        live, window_chars=int_or_zero(payload.get("window_chars")),
        last_message=text_or_empty(payload.get("said_last")), instructions=text_or_empty(payload.get("instructions")),
    )  # fmt: skip
    return {"messages": [{"role": "user", "content": text}] if text else None}


# -- What a payload says of a tool's call --------------------------------------------------------------


def _reduce(policy: SessionPolicy, payload: HookPayload, live: LiveSession, text: str, *, is_error: bool | None = None) -> str:
    """Return the shorter text for a tool output, "" where it stays as it is."""
    if not policy.may_shorten(live, text):
        return ""
    is_cut, file = find_truncation(payload, text)
    transcript = live.transcript or CLIENT.find_transcript(live.cwd, live.id)
    behind = read_spilled_file(Path(file), claude_code_output_dirs(transcript), bytes_max=SPILLED_BYTES_MAX) if file else None
    result = build_result(payload, text, at_ns=time.time_ns(), is_error=is_error)
    return policy.shorten_output(live, result, is_truncated=is_cut, full_output=behind)


def build_result(payload: dict[str, Any], text: str, *, at_ns: int = 0, is_error: bool | None = None) -> Observation:
    """Return the observation of a tool result, with its call, from the payload of a PostToolUse hook or of the mod.

    text  the output as the agent would read it.
    """
    call, exit_code = parse_call(payload), _exit_code(payload)
    return Observation(
        session=text_or_empty(payload.get("session_id")),
        seq=1,
        record_index=1,
        uuid=f"{call.id}:{ObservationKind.RESULT}",
        kind=ObservationKind.RESULT,
        text=text,
        tool=call.tool,
        call_id=call.id,
        is_error=is_error,
        exit_code=exit_code,
        agent=text_or_empty(payload.get("agent_id")),
        cwd=call.cwd,
        at_ns=at_ns,
        call=replace(call, result=answered(call.tool, text, is_error=is_error, exit_code=exit_code)),
    )


def parse_call(payload: dict[str, Any]) -> ToolCall:
    """Return the tool call of a payload, without its result."""
    inputs = payload.get("tool_input")
    call = DIALECT.build_tool_call(
        text_or_empty(payload.get("tool_name")), dict(_mapping(inputs)), msgspec.json.encode(inputs or {}).decode()
    )
    return replace(call, id=text_or_empty(payload.get("tool_use_id")), cwd=parse_path(payload.get("cwd")))


def _exit_code(payload: dict[str, Any]) -> int | None:
    """Return 0 for a command that the client does not report as interrupted, special or in the background; else None. Failed commands come
    by another hook.
    """
    if not parse_call(payload).command or not isinstance(payload.get("tool_response"), dict):
        return None
    told = _mapping(payload.get("tool_response"))
    return None if told.get("interrupted") or told.get("returnCodeInterpretation") or told.get("backgroundTaskId") else 0


def find_truncation(payload: dict[str, Any], text: str) -> tuple[bool, str]:
    """Return whether the client truncated a tool output, and the file in which it keeps all of it ("" for none).

    text  the output as the agent would read it.
    """
    kept = _mapping(payload.get("tool_response")).get("persistedOutputPath")
    if isinstance(kept, str) and kept:
        return True, kept
    cut = parse_truncation_notice(text)
    return cut is not None, cut.path if cut is not None else ""


def find_reducible_text(payload: dict[str, Any]) -> str:
    """Return the part of a tool output that may be shortened in place; "" for tools whose output has no such part."""
    answer = payload.get("tool_response")
    call = parse_call(payload)
    if call.tool.startswith(CLEW_TOOL_PREFIXES):
        return ""
    if call.command and isinstance(answer, dict):
        return text_or_empty(cast("dict[str, object]", answer).get("stdout"))
    if call.is_foreign and isinstance(answer, str):
        return answer
    return ""


def build_replacement(payload: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the hook's output that replaces what `find_reducible_text` found by `text`; other fields stay as the tool returned them."""
    answer = payload["tool_response"]
    if isinstance(answer, str):
        return {"updatedMCPToolOutput": text}
    return {"updatedToolOutput": {**cast("dict[str, Any]", answer), "stdout": text}}


def find_edited_path(payload: dict[str, Any]) -> str:
    """Return the path that a call has edited or written, "" for other calls."""
    call = parse_call(payload)
    return call.path if call.kind in (ToolKind.EDIT, ToolKind.WRITE) else ""


# -- Which release is it? ------------------------------------------------------------------------------


def parse_version(text: str) -> ClientVersion | None:
    """Return the first version (three numbers) in a text, None for none."""
    match = _VERSION.search(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def read_version(program: str) -> ClientVersion | None:
    """Return the version that `program --version` prints, None where it prints none. Raises OSError, subprocess.TimeoutExpired."""
    return parse_version(
        subprocess.run([program, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False).stdout
    )


def supports_mods(program: str | None) -> bool:
    """Return whether the client at this path runs mods; False where there is none or its version is unknown."""
    if program is None:
        return False
    try:
        version = read_version(program)
    except (OSError, subprocess.TimeoutExpired):  # then it is set up as one that has none, which works for both
        return False
    return version is not None and version >= MODS_MIN_VERSION


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
