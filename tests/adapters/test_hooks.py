"""The hooks: what each hook and the mod are answered, over real stores and small transcripts."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.claude_code import plugin_files
from clew.adapters.claude_code.install import Installer, InstallOptions, InstallTarget
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.records import join_text
from clew.sessions.policy import CONTEXT_CHARS_MAX
from clew.settings import load_settings
from clew.transcript.vocabulary import HANDOFF_HEADING
from tests.adapters.daemon import repository
from tests.fences import opened

LONG = "\n".join(f"tests/test_calc.py::test_{number} PASSED [ 50%]" for number in range(400)) + "\n400 passed in 3.21s\n"
SECRET = "AKIA" + "QPLANTED7SECRET9X"[:16]


class Told:
    """One session's transcript, written as the client writes it."""

    def __init__(self, path: Path, cwd: Path, session: str) -> None:
        self.path, self.cwd, self.session, self.last = path, cwd, session, ""
        self.count = 0

    def line(self, kind: str, **more: Any) -> None:
        self.count += 1
        uuid = f"{self.session}-{self.count}"
        told = {
            "type": kind, "uuid": uuid, "parentUuid": self.last or None, "sessionId": self.session, "cwd": str(self.cwd), "version": "2.1.330",
            "timestamp": f"2026-11-20T10:00:{self.count % 60:02d}.000Z", **more,
        }  # fmt: skip
        self.last = uuid
        with self.path.open("a") as stream:
            stream.write(json.dumps(told) + "\n")

    def user(self, text: str) -> None:
        self.line("user", message={"role": "user", "content": text})

    def says(self, text: str) -> None:
        self.line("assistant", message={"role": "assistant", "id": f"m{self.count}", "content": [{"type": "text", "text": text}]})

    def calls(self, tool: str, answer: str, *, is_error: bool = False, **inputs: Any) -> None:
        call = f"toolu_{self.session}_{self.count}"
        self.line(
            "assistant",
            message={
                "role": "assistant",
                "id": f"m{self.count}",
                "content": [{"type": "tool_use", "id": call, "name": tool, "input": inputs}],
            },
        )
        self.line(
            "user",
            message={"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": answer, "is_error": is_error}]},
        )

    def boundary(self) -> None:
        self.line(
            "system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9}
        )


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", {"calc.py": "def add_one(x):\n    return x + 1\n", "notes.txt": "alpha\n"})


@pytest.fixture
def hooks(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HookHandlers]:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    home = tmp_path / "home"
    home.mkdir()
    context = create_daemon_context(replace(load_settings({}), data_dir=home))
    DaemonPaths(context.settings.data_dir).make_dirs()
    context.get_engine().index(repo)
    yield HookHandlers(context)
    context.close()


def told_of(tmp_path: Path, repo: Path, session: str = "s1") -> Told:
    told = Told(tmp_path / f"{session}.jsonl", repo, session)
    told.user("Never touch notes.txt, it is signed. Ticket OPS-7731: make `add_one` in calc.py add two.")
    told.calls("Bash", "No module named frobnicate", is_error=True, command="python3 -m frobnicate calc.py")
    told.says("That does not work, frobnicate is not installed. I edit the file by hand instead.")
    told.calls("Edit", "The file has been updated", file_path=str(repo / "calc.py"), old_string="x + 1", new_string="x + 2")
    told.says("Done.")
    return told


def payload(event: str, told: Told, **more: Any) -> dict[str, Any]:
    return {"session_id": told.session, "transcript_path": str(told.path), "cwd": str(told.cwd), "hook_event_name": event, **more}


def bash(told: Told, text: str, call: str = "toolu_x", **more: Any) -> dict[str, Any]:
    response = {"stdout": text, "stderr": "", "interrupted": False, "isImage": False}
    return payload(
        "PostToolUse", told, tool_name="Bash", tool_input={"command": "pytest"}, tool_response=response, tool_use_id=call, **more
    )


def added(answer: Any) -> str:
    return answer.get("hookSpecificOutput", {}).get("additionalContext", "")


def test_a_cleared_session_hands_its_state_to_the_next(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    old = told_of(tmp_path, repo)
    hooks.handle_event("SessionStart", payload("SessionStart", old, source="startup"), client_pid=1)
    hooks.handle_event("SessionEnd", payload("SessionEnd", old, reason="clear"), client_pid=1)
    new = Told(tmp_path / "s2.jsonl", repo, "s2")
    said = added(hooks.handle_event("SessionStart", payload("SessionStart", new, source="clear"), client_pid=1))

    assert said.startswith(HANDOFF_HEADING)
    assert all(words in said for words in ("notes.txt", "OPS-7731", "frobnicate", "calc.py"))
    assert len(said) <= CONTEXT_CHARS_MAX


@pytest.mark.parametrize("source", ["startup", "clear"])
def test_a_trivial_session_between_two_others_ends_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path, source: str) -> None:
    old, trivial = told_of(tmp_path, repo), Told(tmp_path / "s2.jsonl", repo, "s2")
    trivial.user("hi, which day is it?")
    trivial.says("I cannot know.")
    for told in (old, trivial):
        hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"), client_pid=1)
        hooks.handle_event("SessionEnd", payload("SessionEnd", told, reason="clear"), client_pid=1)
    new = Told(tmp_path / "s3.jsonl", repo, "s3")

    assert "OPS-7731" in added(hooks.handle_event("SessionStart", payload("SessionStart", new, source=source), client_pid=1))


def test_a_hand_off_of_now_says_what_git_says_now(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    old = told_of(tmp_path, repo)
    (repo / "calc.py").write_text("def add_one(x):\n    return x + 2\n")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for words in (("add", "calc.py"), ("commit", "-qm", "by hand", "calc.py")):
        subprocess.run(["git", *identity, *words], cwd=repo, check=True)
    hooks.handle_event("SessionEnd", payload("SessionEnd", old, reason="other"))
    new = Told(tmp_path / "s2.jsonl", repo, "s2")
    said = added(hooks.handle_event("SessionStart", payload("SessionStart", new, source="startup")))

    assert re.search(r"calc\.py.*committed", said)
    [file] = hooks.context.get_engine().describe_state(repo, str(old.path))["files"]
    assert file["is_committed"] is False  # so far as the transcript says


def test_another_clients_clear_hands_over_nothing_of_ours(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    old = told_of(tmp_path, repo)
    hooks.handle_event("SessionStart", payload("SessionStart", old, source="startup"), client_pid=1)
    new = Told(tmp_path / "s2.jsonl", repo, "s2")

    assert added(hooks.handle_event("SessionStart", payload("SessionStart", new, source="clear"), client_pid=2)) == ""


def test_another_repository_is_told_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    old = told_of(tmp_path, repo)
    hooks.handle_event("SessionEnd", payload("SessionEnd", old, reason="other"))
    new = Told(tmp_path / "s2.jsonl", repository(tmp_path / "other"), "s2")

    assert added(hooks.handle_event("SessionStart", payload("SessionStart", new, source="startup"))) == ""


def test_a_resume_adds_nothing_where_the_window_has_it_all(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)

    assert added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="resume"))) == ""
    told.boundary()
    told.line("user", isCompactSummary=True, message={"role": "user", "content": "A summary."})
    assert added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="resume"))).startswith(HANDOFF_HEADING)
    told.line("attachment", attachment={"type": "hook_additional_context", "content": [f"{HANDOFF_HEADING}: this session."]})
    assert added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="resume"))) == ""


def test_a_resume_says_which_files_have_changed_since(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    (repo / "calc.py").write_text("def add_one(x):\n    return x + 3\n")
    import os

    about = told.path.stat()
    os.utime(repo / "calc.py", ns=(about.st_mtime_ns + 10**9, about.st_mtime_ns + 10**9))
    said = added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="resume")))

    assert opened(said).plain == "clew: changed on disk since this session last ran, so what was read of it is out of date:"
    assert opened(said).inside == ("calc.py",)


def test_a_prompt_gets_what_it_names_once(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = Told(tmp_path / "s.jsonl", repo, "s")
    first = added(
        hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="Why does `add_one` in calc.py add one?"))
    )

    assert "calc.py:1-2 add_one" in first
    again = hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="And why is `add_one` so short?"))
    assert again == {}


def test_what_was_added_is_logged_after_the_answer(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = Told(tmp_path / "s.jsonl", repo, "s")
    event = payload("UserPromptSubmit", told, prompt="Why does `add_one` in calc.py add one?")
    answer = hooks.handle_event("UserPromptSubmit", event)
    assert hooks.context.run_pending_jobs(20)
    engine = hooks.context.get_engine()

    [entry] = engine.explain_last_packet(repo, engine.find_last_session(repo)).packet.entries
    assert (entry.path, entry.name) == ("calc.py", "add_one")
    assert entry.handle in added(answer)

    event = payload("UserPromptSubmit", told, prompt="And why is calc.py so short?")
    answer = hooks.handle_event("UserPromptSubmit", event)
    hooks.record_undelivered("UserPromptSubmit", event, answer)
    assert hooks.context.run_pending_jobs(20)
    assert not engine.explain_last_packet(repo, "s").packet.is_shown


@pytest.mark.parametrize(
    "prompt", ["", "yes", "ok, continue", "/compact", "<task-notification>add_one calc.py</task-notification>", "thanks!"]
)
def test_a_prompt_that_asks_nothing_gets_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path, prompt: str) -> None:
    told = Told(tmp_path / "s.jsonl", repo, "s")

    assert hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt=prompt)) == {}


def test_a_long_output_is_shortened_in_the_tools_own_shape_and_comes_back_exactly(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    answer = hooks.handle_event("PostToolUse", bash(told, LONG))
    assert isinstance(answer, dict)
    output = answer["hookSpecificOutput"]["updatedToolOutput"]

    assert set(output) == {"stdout", "stderr", "interrupted", "isImage"}
    assert "400 passed" in output["stdout"]
    assert len(output["stdout"]) < len(LONG) / 10
    handle = output["stdout"].partition("clew unfold ")[2][:8]
    engine = hooks.context.get_engine()
    assert engine.unfold(repo, handle).data.decode() == LONG
    engine.ingest([told.path], repo=repo)
    told.says("More.")
    engine.ingest([told.path], repo=repo)
    engine.forget(repo)
    assert engine.unfold(repo, handle).data.decode() == LONG
    assert engine.explain(repo, handle).status.is_live


def test_an_output_that_would_save_nothing_stays(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)

    assert hooks.handle_event("PostToolUse", bash(told, "short\n")) == {}
    assert (
        hooks.handle_event("PostToolUse", {**bash(told, LONG), "tool_name": "mcp__plugin_clew_clew__unfold", "tool_response": LONG}) == {}
    )


def test_where_the_mod_is_at_work_the_hooks_say_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    hooks.handle_event("mod/hello", {"session_id": told.session, "cwd": str(repo)})

    assert hooks.handle_event("PostToolUse", bash(told, LONG)) == {}
    assert hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="Why does `add_one` in calc.py add one?")) == {}
    said = hooks.handle_event(
        "mod/prompt", {"session_id": told.session, "cwd": str(repo), "prompt": "Why does `add_one` in calc.py add one?"}
    )
    assert "calc.py:1-2 add_one" in said["context"]
    short = hooks.handle_event(
        "mod/append", {"session_id": told.session, "cwd": str(repo), "tool_use_id": "t", "tool_name": "Bash", "text": LONG}
    )
    assert "clew unfold" in short["text"]


def test_a_compaction_by_the_mod_hands_over_messages_and_the_hook_after_it_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"))
    said = hooks.handle_event(
        "mod/compact", {"session_id": told.session, "cwd": str(repo), "trigger": "auto", "instructions": "keep the ticket"}
    )
    [message] = said["messages"]

    assert message["role"] == "user"
    assert message["content"].startswith(HANDOFF_HEADING)
    assert all(words in message["content"] for words in ("notes.txt", "OPS-7731", "frobnicate", "calc.py", "keep the ticket"))
    assert (
        hooks.handle_event("SessionStart", payload("SessionStart", told, source="compact"))
        .get("hookSpecificOutput", {})
        .get("additionalContext")
        is None
    )  # type: ignore[union-attr]


def test_a_compaction_whose_state_says_it_all_is_answered(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    """A short session has nothing that its state does not say; the client would ask its model for a summary of it."""
    told = Told(tmp_path / "short.jsonl", repo, "short")
    told.user("Please say which function in calc.py adds one.")
    hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"))
    said = hooks.handle_event("mod/compact", {"session_id": "short", "cwd": str(repo), "trigger": "auto"})

    assert said["messages"] is not None
    assert "adds one" in said["messages"][0]["content"]


def test_a_hand_off_in_a_transcript_is_not_read_as_the_users_words(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    told.boundary()
    told.user(f"{HANDOFF_HEADING}: the conversation so far. Never eat cheese before midnight.")
    told.user("Go on with the ticket.")
    state = join_text(hooks.context.get_engine().hand_off(str(told.path), budget_tokens=1_500, tokenizer="claude", path=repo))

    assert "cheese" not in state
    assert "Go on with the ticket." in state


def test_before_a_compaction_of_the_client_nothing_is_said_and_after_it_the_state_stands_once(
    hooks: HookHandlers, tmp_path: Path, repo: Path
) -> None:
    told = told_of(tmp_path, repo)

    assert hooks.handle_event("PreCompact", payload("PreCompact", told, trigger="auto", custom_instructions=None)) == {}
    said = added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="compact")))
    assert all(words in said for words in ("notes.txt", "OPS-7731", "frobnicate"))


def test_a_session_without_a_transcript_is_answered_with_nothing(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = Told(tmp_path / "none.jsonl", repo, "none")

    assert added(hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"))) == ""
    assert hooks.handle_event("mod/compact", {"session_id": "none", "cwd": str(repo), "trigger": "auto"}) == {"messages": None}
    for event in ("Stop", "SubagentStop", "SessionEnd", "FileChanged", "CwdChanged", "Unheard"):
        assert hooks.handle_event(event, payload(event, told)) == {}


def test_a_secret_in_an_output_is_in_no_file_and_does_not_reach_further(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    answer = hooks.handle_event("PostToolUse", bash(told, f"{LONG}FAILED key {SECRET}\n"))
    assert isinstance(answer, dict)
    hooks.handle_event("Stop", payload("Stop", told, last_assistant_message=f"The key is {SECRET}."))
    told.says(f"The key is {SECRET}.")
    hooks.context.get_engine().ingest([told.path], repo=repo)
    assert hooks.context.run_pending_jobs(20)
    hooks.context.close()

    files = [file for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert any(file.name == "clew.db" for file in files)
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


def test_a_secret_in_what_follows_compact_does_not_reach_the_window(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"))
    wish, said_last = f"keep the key {SECRET} in mind", f"I found {SECRET}."
    asked = {"session_id": told.session, "cwd": str(repo), "trigger": "manual", "instructions": wish, "said_last": said_last}
    [message] = hooks.handle_event("mod/compact", asked)["messages"]

    assert "keep the key [masked:aws-access-" in message["content"]
    assert SECRET not in message["content"]


def test_what_stands_in_a_window_is_known_after_a_restart(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = Told(tmp_path / "s.jsonl", repo, "s")
    prompt = "Why does `add_one` in calc.py add one?"
    assert added(hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt=prompt)))
    again = HookHandlers(hooks.context)

    assert again.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt=prompt)) == {}


def test_ten_sessions_at_once_are_told_apart(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    texts = {number: LONG.replace("test_calc", f"test_suite{number}") + f"FAILED test_suite{number}\n" for number in range(10)}
    shown: dict[int, str] = {}

    def one(number: int) -> None:
        told = told_of(tmp_path, repo, f"many{number}")
        answer = hooks.handle_event("PostToolUse", bash(told, texts[number], f"toolu_{number}"))
        assert isinstance(answer, dict)
        shown[number] = answer["hookSpecificOutput"]["updatedToolOutput"]["stdout"]

    threads = [threading.Thread(target=one, args=(number,)) for number in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number, text in texts.items():
        handle = shown[number].partition("clew unfold ")[2][:8]
        assert hooks.context.get_engine().unfold(repo, handle).data.decode() == text


def test_the_status_line_says_what_it_knows(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    hooks.handle_event("PostToolUse", bash(told, LONG))
    window = {
        "context_window_size": 200_000,
        "current_usage": {"input_tokens": 100, "cache_read_input_tokens": 49_900},
        "used_percentage": 25,
    }
    said = hooks.format_statusline(payload("", told, context_window=window, prompt_cache={"hit_ratio": 0.93, "warm": True}))

    assert said.startswith("clew window 25% of 200.0k · saved ")
    assert "cache 93% warm" in said
    assert hooks.format_statusline({}) == "clew ready"
    assert hooks.format_statusline(payload("", told, context_window="odd", prompt_cache=[1])).startswith("clew window 25%")
    [session] = hooks.describe_sessions(str(repo))["sessions"]
    assert session["saved_tokens"] > 1_000


def test_where_no_mod_speaks_the_hooks_that_were_left_out_for_it_are_written(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    """As when the client was set back to a release without mods, or its administrator turned them off."""
    paths = DaemonPaths(hooks.context.settings.data_dir)
    client = tmp_path / "client"
    Installer(paths).install(InstallTarget(client, repo, "user"), InstallOptions(with_statusline=False, with_gateway=False, has_mods=True))
    files = [plugin_files.marketplace_dir(paths) / plugin_files.HOOKS_FILE, *client.rglob("hooks.json")]
    assert len(files) == 2
    assert all("UserPromptSubmit" not in file.read_text() for file in files)
    told = told_of(tmp_path, repo)
    hooks.handle_event("SessionStart", payload("SessionStart", told, source="startup"))
    hooks.handle_event("mod/hello", {"session_id": told.session, "cwd": str(repo)})
    hooks.handle_event("Stop", payload("Stop", told))
    assert hooks.context.run_pending_jobs(60)
    assert all("UserPromptSubmit" not in file.read_text() for file in files)

    other = Told(tmp_path / "s2.jsonl", repo, "s2")
    hooks.handle_event("SessionStart", payload("SessionStart", other, source="startup"))
    hooks.handle_event("Stop", payload("Stop", other))
    assert hooks.context.run_pending_jobs(60)
    assert all("UserPromptSubmit" in file.read_text() for file in files)
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


def commit(repo: Path, **files: str) -> None:
    for name, text in files.items():
        (repo / name.replace("_dot_", ".")).write_text(text, "utf-8")
    git = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run([*git, "add", "-A"], cwd=repo, check=True)
    subprocess.run([*git, "commit", "-qm", "change"], cwd=repo, check=True)


def before_commit(hooks: HookHandlers, told: Told, command: str = "git add -A && git commit -m done") -> str:
    answer = hooks.handle_event("PreToolUse", payload("PreToolUse", told, tool_name="Bash", tool_input={"command": command}))
    assert isinstance(answer, dict)
    assert "permissionDecision" not in answer.get("hookSpecificOutput", {})
    return added(answer)


def test_before_a_commit_the_file_that_usually_changes_with_the_edited_one_is_named_once(
    hooks: HookHandlers, tmp_path: Path, repo: Path
) -> None:
    for number in range(12):
        commit(repo, calc_dot_py=f"def add_one(x):\n    return x + 1  # {number}\n", calc_help_dot_md=f"add_one {number}\n")
    hooks.context.get_engine().index(repo)
    told = told_of(tmp_path, repo)

    assert before_commit(hooks, told, "git status") == ""
    said = before_commit(hooks, told)
    assert "calc_help.md" in said
    assert "12 of 12 commits" in said or "12 of 13 commits" in said
    assert before_commit(hooks, told) == ""


def test_before_a_commit_nothing_is_said_without_history_or_where_it_is_turned_off(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    assert before_commit(hooks, told) == ""
    for number in range(12):
        commit(repo, calc_dot_py=f"def add_one(x):\n    return x + 1  # {number}\n", calc_help_dot_md=f"add_one {number}\n")
    hooks.context.get_engine().index(repo)
    hooks.context.settings = replace(hooks.context.settings, guard_lines=0)

    assert before_commit(hooks, told) == ""
