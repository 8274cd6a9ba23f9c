"""Doors: what the client's hooks and the mod ask, put to the engine, and its answers in the client's words.

Nothing is decided here but whose turn it is: where the mod is at work in a session, the hooks of prompts and of tool calls say
nothing, because the mod asks the same. Whatever fails is for the caller to journal; the session goes on.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from clew import usecases
from clew.adapters.claude_code import plugin_files, statusline
from clew.adapters.claude_code.install import manifest
from clew.adapters.claude_code.observe import call_of, cut_in, edited_file, result_of, text_in, with_text
from clew.adapters.claude_code.sessions import Live, Sessions, Told, own_folder, told_of
from clew.adapters.fencing import sent
from clew.adapters.serving import Serving
from clew.records import Author, Packet, Span, Spans, clew_says, outside, text_of
from clew.settings import claude_code_home, client_folders, workspace_of
from clew.text.secrets import mask_text
from clew.transcript.parse import open_transcript
from clew.transcript.sessions import read_spilled
from clew.transcript.vocabulary import HAND_OFF_MARK

Answer = dict[str, Any] | str

CONTEXT_CHARS_MAX = 9_900  # of one hook's context; the client takes 10,000 and puts a longer one into a file
# Guess. Only the state is handed over, not the lines behind it: beside the client's own summary, and in a window that was cleared on
# purpose, a handle is enough; and all of it is written to the cache anew.
HAND_OFF_TOKENS, NEW_SESSION_TOKENS = 1_200, 900
EARLIER_SESSION_DAYS = 3.0  # a session before this says nothing to a new one; guess
# Of the search for a prompt: 6 ms in this repository, 40 to 60 in one of 100,000 files, measured on a machine that was not idle.
PROMPT_DEADLINE_MS = 70.0
LATE_MAX, LATE_REST_S = 3, 120.0  # prompts in a row that were too slow; then none is asked for so long: guesses
MOD_TRUSTED_S = 10.0  # a mod that has just said hello belongs to the session that starts now; guess
SAME_PROMPT_S = 5.0  # a prompt that comes by both doors comes within this
QUIET_S = 2.0  # what a turn leaves to be taken over waits so long, and anew with each turn: a person who types on is answered first. Guess
WATCHED_FILES_MAX = 64  # paths that the client is asked to watch; guess
COMPACTED_SHARE_MAX = 0.4  # of what a window held: a compaction that leaves more is none. Guess
PREPARED_MAX = 32  # hand-offs that are held ready, of some kilobytes each; guess
SAID_CHARS_MAX = 1_500  # of the agent's last words; guess
CHARS_PER_TOKEN = 2.8  # as `transcript.reduce.arrival`
BEHIND_BYTES_MAX = 4 << 20  # of the file behind a cut output, while the agent waits; a longer one comes with the transcript. Guess
SHORT_CHARS = 1_500  # an output that is shorter is not looked at: no reducer saves what its marker costs. Guess
_BACK = "What was left out is kept: the tool `unfold` gives the exact text behind a handle in brackets, `recall` finds more."


class Doors:
    """The doors of one daemon. Safe with threads."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.sessions = Sessions(serving.places.run / "sessions")
        self._attended: dict[str, tuple[str, float]] = {}
        self._prepared: OrderedDict[tuple[str, int, int, int], Spans] = OrderedDict()
        self._preparing = threading.Lock()
        self._reading = threading.Lock()  # a transcript is taken over by one at a time: two would each begin where the last one ended
        self._hooks: dict[str, Callable[[dict[str, Any], Live], Answer]] = {
            "SessionStart": self._start,
            "UserPromptSubmit": self._prompted,
            "PostToolUse": self._used,
            "Stop": self._stored,
            "SubagentStop": self._stored,
            "SessionEnd": self._ended,
            "FileChanged": self._file_changed,
            "CwdChanged": self._folder_changed,
        }

    def hook(self, event: str, payload: dict[str, Any], *, client_pid: int | None = None) -> Answer:
        """Answer a hook of the client; {} where there is nothing to say, and to events that are not known."""
        answer = self._hooks.get(event)
        if answer is None or not payload.get("session_id"):
            return {}
        live = self.sessions.of(payload, client_pid=client_pid)
        said = answer(payload, live)
        self.sessions.keep(live)
        return said

    def mod(self, door: str, payload: dict[str, Any], *, client_pid: int | None = None) -> dict[str, Any]:
        """Answer a call of the mod; {} to doors that are not known."""
        doors = {"hello": self._hello, "prompt": self._mod_prompt, "append": self._mod_append, "compact": self._mod_compact}
        if door not in doors or not payload.get("session_id"):
            return {}
        live = self.sessions.of(payload, client_pid=client_pid)
        live.mod_at = time.time()
        said = doors[door](payload, live)
        self.sessions.keep(live)
        return said

    def undelivered(self, name: str, payload: dict[str, Any], answer: Answer) -> None:
        """Take note that an answer has reached nobody: a hand-off is given with the next prompt, and nothing stands in the window."""
        live = self.sessions.of(payload)
        if name == "SessionStart":
            live.owed = context_of(answer)
        elif name in ("UserPromptSubmit", "prompt"):
            live.owed, live.owed_given = live.owed_given or live.owed, ""
            live.seen = [handle for handle in live.seen if handle not in live.added]
            live.late, live.late_at, live.is_late = live.late + 1, time.time(), True
            live.told = Told("prompt", why="its search took longer than a prompt may wait")
        elif name in ("PostToolUse", "append"):
            live.saved_tokens -= live.saved_last
            live.reduced -= 1 if live.saved_last else 0
        live.added, live.saved_last = [], 0
        self.sessions.keep(live)

    def statusline(self, payload: dict[str, Any]) -> str:
        """Return the client's status line, and remember what the client says of its window."""
        live = self.sessions.of(payload)
        live.window = statusline.window_of(payload) or live.window
        self.sessions.keep(live)
        return statusline.line(live, self.serving.trouble() or self._refused(live))

    def _refused(self, live: Live) -> str:
        return "not indexed here" if live.cwd and str(workspace_of(Path(live.cwd))[1]) in self.serving.refused else ""

    def status(self, path: str) -> dict[str, Any]:
        """Return the sessions of the repository that holds `path`, of all for "", the latest first."""
        root = str(workspace_of(Path(path))[1]) if path else ""
        here = [live for live in self.sessions.all() if not root or (live.cwd and str(workspace_of(Path(live.cwd))[1]) == root)]
        trouble = self.serving.trouble()
        return {"sessions": [statusline.as_json(live, trouble) for live in here], "trouble": trouble}

    def session_of(self, client_pid: int) -> str:
        """Return the id of the session that a client is in now, "" where that is not known."""
        return next((live.id for live in self.sessions.all() if client_pid and live.client_pid == client_pid and not live.ended), "")

    def alive_clients(self) -> list[int]:
        """Return the pids of clients whose sessions have not ended."""
        return self.sessions.alive_clients()

    # -- Sessions begin and end -------------------------------------------------------------------

    def _start(self, payload: dict[str, Any], live: Live) -> Answer:
        source = str(payload.get("source") or "startup")
        live.ended, live.is_started, live.owed = "", True, ""
        if source in ("startup", "resume") and time.time() - live.mod_at > MOD_TRUSTED_S:
            live.mod_at = 0.0  # another client may have resumed it, one that has no mods
        if source in ("clear", "compact"):
            live.seen = []
        root = workspace_of(Path(live.cwd))[1]
        self.serving.index_later(root)
        spans = {"compact": self._after_compaction, "resume": self._on_resume}.get(source, self._from_before)(live, source)
        text = self._sent(live, spans)
        said: dict[str, Any] = {"hookEventName": "SessionStart"}
        if text:
            said["additionalContext"] = text
            live.is_ours = True
        if watched := self._worth_watching(live, root):
            said["watchPaths"] = watched
        return {"hookSpecificOutput": said} if len(said) > 1 else {}

    def _sent(self, live: Live, spans: Spans) -> str:
        """A text as it leaves for the model of a session: what is not the user's word or ours is fenced."""
        return sent(spans, home=self.serving.settings.home, session=live.id)

    def _after_compaction(self, live: Live, source: str) -> Spans:  # noqa: ARG002  every source is asked in one way
        """What of the session should stand in the window after the client's own compaction; nothing after ours."""
        if live.compacted:
            live.compacted = 0
            return ()
        return self._handed(live, live.transcript, "this session, before it was compacted", HAND_OFF_TOKENS)

    def _on_resume(self, live: Live, source: str) -> Spans:  # noqa: ARG002  likewise
        """Nothing, where the window has it all; else the state. And which files have changed since."""
        needs = _lacks_hand_off(Path(live.transcript))
        spans = self._handed(live, live.transcript, "this session", HAND_OFF_TOKENS) if needs else ()
        changed = self._changed_since(live)
        if changed:
            names = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
            note = clew_says("clew: changed on disk since this session last ran, so what was read of it is out of date:\n")
            spans = (*spans, *((clew_says("\n"),) if spans else ()), note, outside(names))
        return spans

    def _from_before(self, live: Live, source: str) -> Spans:
        """The state that the session before left behind, in the same repository."""
        before = self._session_before(live, is_cleared=source == "clear")
        if before is None:
            return ()
        budget = HAND_OFF_TOKENS if source == "clear" else NEW_SESSION_TOKENS
        whose = "the session that was just cleared" if source == "clear" else "the session before this one, in case it goes on"
        return self._handed(live, str(before), whose, budget)

    def _handed(self, live: Live, transcript: str, whose: str, budget: int) -> Spans:
        """The state of a session as one hook may say it, () for none."""
        if not transcript or not Path(transcript).is_file():
            return ()
        started = time.perf_counter()
        head = f"{HAND_OFF_MARK}: {whose}. {_BACK}\n\n"
        for share in (1.0, 0.7, 0.4):  # a hook's context is limited in characters, a packet in tokens
            body = self._state_of(transcript, live.cwd, int(budget * share))
            if not body:
                return ()
            said = (clew_says(head), *body)
            if len(self._sent(live, said)) <= CONTEXT_CHARS_MAX:
                took, tokens = (time.perf_counter() - started) * 1000, self._count(text_of(body))
                live.told = Told("hand-off", tokens, 1, {"state": tokens}, round(took, 1), whose)
                return said
        return ()

    def _state_of(self, transcript: str, cwd: str, budget: int) -> Spans:
        """The state of a session's work within a budget, as it was prepared where nothing was said since."""
        about = Path(transcript).stat()
        key = (transcript, budget, about.st_size, about.st_mtime_ns)
        with self._preparing:
            if key not in self._prepared:
                engine, tokenizer = self.serving.engine(), self.serving.settings.tokenizer
                self._prepared[key] = engine.hand_off(transcript, budget_tokens=budget, tokenizer=tokenizer, path=Path(cwd))
                while len(self._prepared) > PREPARED_MAX:
                    self._prepared.popitem(last=False)
            return self._prepared[key]

    def _prepare(self, live: Live) -> None:
        """Make the hand-off of a session that has ended ready: who clears it, or begins the next one, waits for that."""
        if live.ended and Path(live.transcript).is_file():
            self._state_of(live.transcript, live.cwd, HAND_OFF_TOKENS if live.ended == "clear" else NEW_SESSION_TOKENS)

    def _session_before(self, live: Live, *, is_cleared: bool) -> Path | None:
        """The transcript of the session before: of a cleared one that of the same client, else the latest of the repository."""
        root = workspace_of(Path(live.cwd))[1]
        for other in self.sessions.all():
            is_same_place = other.cwd and workspace_of(Path(other.cwd))[1] == root
            if other.id == live.id or not other.transcript or not is_same_place or not Path(other.transcript).is_file():
                continue
            if is_cleared and live.client_pid and other.client_pid not in (0, live.client_pid):
                continue
            if not is_cleared and not other.ended and other.client_pid in self.alive_clients():
                continue  # it goes on elsewhere, and hands nothing over
            if time.time() - Path(other.transcript).stat().st_mtime > EARLIER_SESSION_DAYS * 86_400:
                return None
            return Path(other.transcript)
        return self._transcript_before(live, own_folder(claude_code_home(), str(root)))

    def _transcript_before(self, live: Live, folder: Path) -> Path | None:
        """The latest transcript of a session that ended before we were here."""
        if not folder.is_dir():
            return None
        known = {other.id for other in self.sessions.all()}
        found = [(file.stat().st_mtime, file) for file in folder.glob("*.jsonl") if file.stem != live.id and file.stem not in known]
        at, file = max(found, default=(0.0, folder))
        return file if time.time() - at <= EARLIER_SESSION_DAYS * 86_400 else None

    def _changed_since(self, live: Live) -> list[str]:
        """Files of the working set that were written after the session's transcript was."""
        transcript = Path(live.transcript)
        if not transcript.is_file():
            return []
        root, ran_ns = workspace_of(Path(live.cwd))[1], transcript.stat().st_mtime_ns
        changed: list[str] = []
        for file in self.sessions.watching(live, root).state().working_set:
            if file.last in ("read", "edit", "write"):
                try:
                    is_newer = (root / file.path).stat().st_mtime_ns > ran_ns
                except OSError:  # gone: that is a change as well
                    is_newer = True
                if is_newer:
                    changed.append(file.path)
        return changed

    def _worth_watching(self, live: Live, root: Path) -> list[str]:
        """Absolute paths of the working set, which the client is to tell us of when others change them."""
        state = self.sessions.watching(live, root).state()
        paths = [root / file.path for file in state.working_set if file.last in ("read", "edit", "write")]
        return [str(path) for path in paths if path.is_file()][-WATCHED_FILES_MAX:]

    def _stored(self, payload: dict[str, Any], live: Live) -> Answer:
        if payload.get("hook_event_name") == "Stop":
            if live.is_started and not live.mod_at:
                self.serving.later("hooks", self._write_all_hooks)
            live.said_last = mask_text(str(payload.get("last_assistant_message") or ""))[:SAID_CHARS_MAX]
        self._ingest_later(live)
        return {}

    def _write_all_hooks(self) -> None:
        """Have the next session ask about prompts by hooks: no mod has spoken in one, as the plugin was written to expect."""
        places = self.serving.places
        if plugin_files.marker(places).is_file() and plugin_files.write_all_hooks(places, map(Path, manifest(places).trees)):
            self.serving.problem("plugin", "a session ran without the mod that was expected; from the next one on hooks do its work")

    def _ended(self, payload: dict[str, Any], live: Live) -> Answer:
        live.ended = str(payload.get("reason") or "other")
        self._ingest_later(live)
        return {}

    def _ingest_later(self, live: Live) -> None:
        """Take over what the transcript holds, a session's subagents with it. The transcript itself is durable until then."""
        if live.transcript and Path(live.transcript).is_file():
            self.serving.later(f"ingest:{live.id}", lambda: self._ingest(live), after_s=0.0 if live.ended else QUIET_S)

    def _ingest(self, live: Live) -> None:
        self._prepare(live)
        with self._reading:
            done = self.serving.engine().ingest([Path(live.transcript)], repo=Path(live.cwd))
        for problem in done.problems:
            self.serving.problem("ingest", problem)

    # -- Prompts ------------------------------------------------------------------------------------

    def _prompted(self, payload: dict[str, Any], live: Live) -> Answer:
        if live.mod_at or payload.get("agent_id"):
            return {}
        text = self._beside_prompt(live, str(payload.get("prompt") or ""))
        return {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": text}} if text else {}

    def _mod_prompt(self, payload: dict[str, Any], live: Live) -> dict[str, Any]:
        return {"context": self._beside_prompt(live, str(payload.get("prompt") or "")) or None}

    def _beside_prompt(self, live: Live, prompt: str) -> str:
        """What is added to a prompt: a hand-off that the session's start could not give in time, and what bears on the prompt."""
        if not live.is_started:  # the hook of its start was not answered: the machine was too slow, or the daemon not there
            live.is_started = True
            self.serving.later(f"owe:{live.id}", lambda: self._owe(live))
        owed, live.owed, live.owed_given = live.owed, "", live.owed
        packet = self._attend(live, prompt)
        return "\n\n".join(part for part in (owed, self._sent(live, packet.spans) if packet else "") if part)

    def _owe(self, live: Live) -> None:
        """Have what a new session's start would have handed over given with its next prompt. One that has a transcript was resumed."""
        if not live.owed and not (live.transcript and Path(live.transcript).is_file()):
            live.owed = self._sent(live, self._from_before(live, "startup"))
            self.sessions.keep(live)

    def _attend(self, live: Live, prompt: str) -> Packet | None:
        """What is worth adding to a prompt, once; None for nothing."""
        digest, now = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(), time.monotonic()
        before = self._attended.get(live.id)
        self._attended[live.id] = (digest, now)
        if not live.cwd or (before and before[0] == digest and now - before[1] < SAME_PROMPT_S):
            return None
        if live.late >= LATE_MAX and time.time() - live.late_at < LATE_REST_S:
            live.told = Told("prompt", why="the last ones were too slow, so this one was not asked")
            return None
        live.late, live.is_late = live.late if live.is_late else 0, False
        started = time.perf_counter()
        settings = self.serving.settings
        packet = self.serving.engine().augment_prompt(
            Path(live.cwd), prompt, budget_tokens=settings.prompt_budget_tokens, tokenizer=settings.tokenizer,
            session=live.id, seen=live.seen, deadline_ms=PROMPT_DEADLINE_MS,
        )  # fmt: skip
        why = "bears on the prompt" if packet.entries else "nothing was worth its tokens"
        live.told = told_of("prompt", packet, (time.perf_counter() - started) * 1000, why)
        live.added = [entry.handle for entry in packet.entries]
        live.seen.extend(live.added)
        return packet if packet.entries else None

    # -- Tools --------------------------------------------------------------------------------------

    def _used(self, payload: dict[str, Any], live: Live) -> Answer:
        edited = edited_file(payload)
        if edited:
            self._update_later(live, edited)
        text = "" if live.mod_at else text_in(payload)
        shown = self._arrived(payload, live, text, is_error=None)
        return {"hookSpecificOutput": {"hookEventName": "PostToolUse", **with_text(payload, shown)}} if shown else {}

    def _mod_append(self, payload: dict[str, Any], live: Live) -> dict[str, Any]:
        is_error = payload.get("is_error")
        text = str(payload.get("text") or "")
        return {"text": self._arrived(payload, live, text, is_error=is_error if isinstance(is_error, bool) else None) or None}

    def _arrived(self, payload: dict[str, Any], live: Live, text: str, *, is_error: bool | None) -> str:
        """The shorter text that stands for a tool's output, with its original behind a handle; "" where it stays as it is."""
        if len(text) < SHORT_CHARS or not live.cwd:
            return ""
        call, result = call_of(payload), result_of(payload, text, at_ns=time.time_ns(), is_error=is_error)
        here = Path(live.cwd)
        is_cut, file = cut_in(payload, text)
        transcript = live.transcript or str(own_folder(claude_code_home(), live.cwd) / f"{live.id}.jsonl")
        behind = read_spilled(Path(file), client_folders(transcript), bytes_max=BEHIND_BYTES_MAX) if file else None
        task = self.sessions.watching(live, workspace_of(here)[1]).state()
        arrival = usecases.write.Arrival(result, call, is_cut=is_cut, behind=behind)
        [arrived] = self.serving.engine().write(here, [arrival], task=task).outputs
        if not arrived.handle:
            return ""
        live.seen.append(arrived.handle)
        live.saved_last = max(0, self._count(text) - self._count(arrived.text))
        live.saved_tokens += live.saved_last
        live.reduced += 1
        return arrived.text

    def _count(self, text: str) -> int:
        from clew.text.tokens import counter  # lazy: its tables are read when something is counted

        return counter(self.serving.settings.tokenizer).count(text)

    def _update_later(self, live: Live, file: str) -> None:
        root = workspace_of(Path(live.cwd))[1]
        path = Path(os.path.normpath(Path(live.cwd) / file))
        if path.is_relative_to(root):
            name = path.relative_to(root).as_posix()
            self.serving.later(f"update:{path}", lambda: self.serving.engine().update(root, [name]), after_s=QUIET_S)

    def _file_changed(self, payload: dict[str, Any], live: Live) -> Answer:
        file = str(payload.get("file_path") or payload.get("path") or "")
        if file and live.cwd:
            self._update_later(live, file)
        return {}

    def _folder_changed(self, payload: dict[str, Any], live: Live) -> Answer:
        folder = str(payload.get("new_cwd") or payload.get("cwd") or "")
        if folder and Path(folder).is_dir():
            live.cwd = folder
            root = workspace_of(Path(folder))[1]
            self.serving.index_later(root)
        return {}

    # -- Compaction ---------------------------------------------------------------------------------

    def _mod_compact(self, payload: dict[str, Any], live: Live) -> dict[str, Any]:
        """Our own messages for the window after a compaction; None, so that the client summarises, where there is too little to tell."""
        if not live.transcript:
            live.transcript = str(own_folder(claude_code_home(), live.cwd) / f"{live.id}.jsonl")
        if payload.get("agent_id") or not Path(live.transcript).is_file():
            return {"messages": None}
        engine, settings, started = self.serving.engine(), self.serving.settings, time.perf_counter()
        held = int(payload.get("window_chars") or 0) / CHARS_PER_TOKEN
        budget = min(settings.compact_budget_tokens, int(held * COMPACTED_SHARE_MAX)) if held else settings.compact_budget_tokens
        with self._reading:
            packet = engine.compact(live.transcript, at=None, budget_tokens=budget, tokenizer=settings.tokenizer, path=Path(live.cwd))
        if not packet.spans:  # a state without a line behind it is enough
            return {"messages": None}
        live.told = told_of("compaction", packet, (time.perf_counter() - started) * 1000, "the client's window was compacted")
        live.compacted, live.seen = live.compacted + 1, []
        said = self._said_last(payload, live, packet.text)
        wish = mask_text(str(payload.get("instructions") or "").strip())
        asked = (clew_says("\nThe user asked, for what follows: "), Span(Author.USER, wish), clew_says("\n")) if wish else ()
        head = clew_says(f"{HAND_OFF_MARK}: the conversation so far was compacted without a model. {_BACK}\n\n")
        return {"messages": [{"role": "user", "content": self._sent(live, (head, *packet.spans, *said, *asked))}]}

    def _said_last(self, payload: dict[str, Any], live: Live, shown: str) -> Spans:
        """The agent's last words, where neither the transcript nor the packet has them yet."""
        last = mask_text(str(payload.get("said_last") or live.said_last).strip())
        if not last or last[:40] in shown:
            return ()
        return clew_says("\n## What the agent said last\n"), Span(Author.AGENT, last[:SAID_CHARS_MAX]), clew_says("\n")

    def _hello(self, payload: dict[str, Any], live: Live) -> dict[str, Any]:  # noqa: ARG002  every door is asked in one way
        return {"is_ready": True}


def context_of(answer: Answer) -> str:
    """The text that a hook's answer adds to the window, "" for none."""
    said = answer.get("hookSpecificOutput") if isinstance(answer, dict) else None
    return str(cast("dict[str, object]", said).get("additionalContext") or "") if isinstance(said, dict) else ""


def _lacks_hand_off(transcript: Path) -> bool:
    """Whether a session was compacted and nothing of ours stands behind the last compaction in its transcript."""
    if not transcript.is_file():
        return False
    is_lacking = False
    with open_transcript(transcript) as stream:
        for line in stream:
            if b'"compact_boundary"' in line:
                is_lacking = True
            elif is_lacking and HAND_OFF_MARK.encode() in line:
                is_lacking = False
    return is_lacking
