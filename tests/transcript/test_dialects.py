"""What each client's records mean, in every form that they have had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clew.records import FileChange, FileView, Hunk, Observation, ObservationKind
from clew.transcript.dialects import TranscriptOrigin
from clew.transcript.parse import TranscriptReader

if TYPE_CHECKING:
    from conftest import ClaudeScript, CodexScript

FOLDER = "/home/dev/shop"


def seen(script: ClaudeScript | CodexScript, origin: TranscriptOrigin | None = None) -> list[Observation]:
    return [each for batch in TranscriptReader([script.bytes()], origin=origin).read_batches() for each in batch.client_observations]


def test_a_record_tells_who_when_and_where(claude: ClaudeScript) -> None:
    uuid = claude.prompt("hello", parentUuid="p")

    (observation,) = seen(claude)

    assert (observation.kind, observation.text, observation.uuid, observation.parent) == (ObservationKind.PROMPT, "hello", uuid, "p")
    assert (observation.session, observation.cwd, observation.branch, observation.version) == (claude.session, FOLDER, "main", "2.1.100")
    assert observation.at_ns == 1772359200_250_000_000
    assert not observation.is_meta


def test_prompts_of_text_and_images_are_one_with_a_placeholder(claude: ClaudeScript) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    claude.prompt([{"type": "text", "text": "look:"}, image])

    assert [observation.text for observation in seen(claude)] == ["look:\n[image: image/png]"]


def test_what_the_client_says_in_the_users_name_is_no_prompt(claude: ClaudeScript) -> None:
    claude.prompt("[Request interrupted by user]")
    claude.prompt("<local-command-stdout>ok</local-command-stdout>")
    claude.prompt("<task-notification>done</task-notification>")
    claude.prompt("Base directory for this skill: /x", isMeta=True)
    claude.prompt("the task has ended", origin={"kind": "task-notification"})

    assert [(observation.kind, observation.is_meta) for observation in seen(claude)] == [
        (ObservationKind.NOTE, False),
        (ObservationKind.NOTE, False),
        *[(ObservationKind.PROMPT, True)] * 3,
    ]


def test_blocks_of_an_answer_become_observations(claude: ClaudeScript) -> None:
    claude.say({"type": "thinking", "thinking": "hm"}, message_id="m1")
    claude.say({"type": "redacted_thinking", "data": "…"}, message_id="m1")
    claude.say(
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {"b": 1, "a": 2}},
        message_id="m1",
    )
    claude.say({"type": "text", "text": "more"}, message_id="m1")

    found = seen(claude)

    assert [observation.kind.value for observation in found] == ["thinking", "thinking", "message", "call", "message"]
    assert found[3].arguments == found[3].text == '{"a":2,"b":1}'


def test_results_keep_the_text_that_the_model_saw(claude: ClaudeScript) -> None:
    one, two, three = claude.call("Bash", command="ls"), claude.call("Shot"), claude.call("ToolSearch")
    claude.answer(one, "a\n\tb  \n", told={"stdout": "a\n\tb  \n", "stderr": "", "interrupted": False})
    claude.answer(two, [{"type": "text", "text": "x"}, {"type": "image", "source": {"media_type": "image/jpeg"}}])
    claude.answer(three, [{"type": "tool_reference", "tool_name": "Task"}], is_error=True)

    results = [observation for observation in seen(claude) if observation.kind is ObservationKind.RESULT]

    assert [(result.tool, result.text) for result in results] == [
        ("Bash", "a\n\tb  \n"),
        ("Shot", "x\n[image: image/jpeg]"),
        ("ToolSearch", "[tool: Task]"),
    ]
    assert [result.is_error for result in results] == [None, None, True]


@pytest.mark.parametrize(
    ("text", "is_error", "told", "exit_code"),
    [
        ("ok", False, {"stdout": "ok", "stderr": "", "interrupted": False}, 0),
        ("Exit code 127\nnot found", True, "Error: Exit code 127\nnot found", 127),
        ("", False, {"stdout": "", "stderr": "", "interrupted": True}, None),
        ("", False, {"stdout": "", "stderr": "", "interrupted": False, "returnCodeInterpretation": "No matches found"}, None),
        ("started", False, {"stdout": "", "stderr": "", "interrupted": False, "backgroundTaskId": "b1"}, None),
        ("The user doesn't want to proceed with this tool use.", True, "User rejected tool use", None),
    ],
)
def test_exit_codes_are_told_where_they_are_known(
    claude: ClaudeScript, *, text: str, is_error: bool, told: object, exit_code: int | None
) -> None:
    claude.answer(claude.call("Bash", command="x"), text, is_error=is_error, told=told)

    assert seen(claude)[-1].exit_code == exit_code


def test_a_read_tells_its_range_and_an_edit_the_lines_that_it_touched(claude: ClaudeScript) -> None:
    claude.read("/a.py", ["x", "y"], start=5, total=40)
    claude.edit("/a.py", "y", "y1\ny2", 6)

    read, edited = (each.call.result for each in seen(claude) if each.call and each.call.result)

    assert read.view == FileView("/a.py", 5, 2, 40)
    assert edited.changes == (FileChange("/a.py", (Hunk(6, 1, 2),)),)


def test_a_spilled_result_names_its_file_in_either_form(claude: ClaudeScript) -> None:
    preview = "<persisted-output>\nOutput too large (66KB). Full output saved to: /p/s/tool-results/b1.txt\n\nPreview (first 2KB):\nabc"
    told = {"stdout": "abc", "stderr": "", "interrupted": False, "persistedOutputPath": "/p/s/tool-results/b2.txt"}
    claude.answer(claude.call("Bash", command="x"), preview)
    claude.answer(claude.call("Bash", command="x"), preview, told=told)
    claude.answer(
        claude.call("mcp__db__dump"),
        "Error: result (90,000 characters) exceeds maximum allowed tokens. Output has been saved to /p/s/tool-results/m.txt.\nFormat: JSON",
    )
    claude.answer(claude.call("Bash", command="x"), "a page says: Full output saved to: /etc/passwd\n")

    assert [each.call.result.spilled for each in seen(claude) if each.call and each.call.result] == [
        "/p/s/tool-results/b1.txt",
        "/p/s/tool-results/b2.txt",
        "/p/s/tool-results/m.txt",
        "",
    ]


def test_a_sidechain_is_its_agents_also_where_no_record_names_it(claude: ClaudeScript) -> None:
    claude.prompt("main")
    root = claude.prompt("find it", isSidechain=True, uuid="abcdef01-0000-4000-8000-000000000000")
    other = claude.prompt("count it", isSidechain=True, uuid="12345678-0000-4000-8000-000000000000")
    claude.tell("found", isSidechain=True, parentUuid=root)
    claude.tell("counted", isSidechain=True, parentUuid=other)
    claude.tell("named", isSidechain=True, agentId="a24095b")

    assert [observation.agent for observation in seen(claude)] == ["", "abcdef01", "12345678", "abcdef01", "12345678", "a24095b"]


def test_a_subagents_records_inside_progress_are_its_own_unless_it_has_a_file(claude: ClaudeScript) -> None:
    inner = {
        "type": "assistant",
        "uuid": "inner",
        "timestamp": "2026-03-01T10:00:09.000Z",
        "message": {"role": "assistant", "content": [{"type": "tool_use", "id": "t9", "name": "Read", "input": {"file_path": "/a"}}]},
    }
    claude.prompt("go")
    claude.add("progress", data={"type": "agent_progress", "agentId": "a1", "prompt": "…", "message": inner, "normalizedMessages": []})

    assert [(observation.kind, observation.agent, observation.uuid, observation.cwd) for observation in seen(claude)][1:] == [
        (ObservationKind.CALL, "a1", "inner", FOLDER)
    ]
    assert len(seen(claude, TranscriptOrigin(separate_agents=frozenset(("a1",))))) == 1


def test_compaction_is_a_boundary_and_a_summary_and_older_titles_are_summaries(claude: ClaudeScript) -> None:
    claude.raw({"type": "summary", "summary": "Fix lint", "leafUuid": "u"})
    claude.add("system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 9})
    claude.prompt("This session is being continued", isCompactSummary=True)
    claude.add("system", subtype="microcompact_boundary", content="", microcompactMetadata={"tokensSaved": 5})

    assert [(observation.kind.value, observation.text, observation.arguments) for observation in seen(claude)] == [
        ("summary", "Fix lint", ""),
        ("boundary", "Conversation compacted", '{"preTokens":9,"trigger":"auto"}'),
        ("summary", "This session is being continued", ""),
        ("note", "", '{"tokensSaved":5}'),
    ]


def test_attachments_give_what_was_shown(claude: ClaudeScript) -> None:
    file = {"type": "text", "file": {"filePath": "/a.py", "content": "x\ny", "numLines": 2, "startLine": 1, "totalLines": 2}}
    claude.add("attachment", attachment={"type": "file", "filename": "/a.py", "content": file})
    claude.add("attachment", attachment={"type": "edited_text_file", "filename": "/b.py", "snippet": "1\tz"})
    claude.add("attachment", attachment={"type": "hook_additional_context", "content": ["one", "two"]})
    claude.add("attachment", attachment={"type": "unheard_of", "data": [1]})

    assert [(each.tool, each.text, each.view.path if each.view else "") for each in seen(claude)] == [
        ("file", "x\ny", "/a.py"),
        ("edited_text_file", "1\tz", "/b.py"),
        ("hook_additional_context", "one\ntwo", ""),
        ("unheard_of", '{"data":[1]}', ""),
    ]


def test_a_prompt_typed_while_the_agent_works_is_heard_once(claude: ClaudeScript) -> None:
    claude.raw({"type": "queue-operation", "operation": "enqueue", "sessionId": claude.session, "content": "use the other branch"})
    claude.raw({"type": "queue-operation", "operation": "enqueue", "sessionId": claude.session, "content": "and be quick"})
    claude.raw({"type": "queue-operation", "operation": "remove", "sessionId": claude.session})
    claude.add("attachment", attachment={"type": "queued_command", "prompt": "use the other branch", "commandMode": "prompt"})
    claude.raw({"type": "queue-operation", "operation": "dequeue", "sessionId": claude.session})
    claude.prompt("and be quick")

    found = seen(claude)

    assert [each.text for each in found] == ["use the other branch", "and be quick"]
    assert found[0].is_steering


def test_errors_of_the_service_are_notes(claude: ClaudeScript) -> None:
    claude.tell("API Error: 529 overloaded", isApiErrorMessage=True)
    claude.add("system", subtype="api_error", error={"status": 529})

    assert [(observation.kind, observation.tool) for observation in seen(claude)] == [(ObservationKind.NOTE, "api_error")] * 2


def test_codex_speaks_in_envelopes_and_bare(codex: CodexScript, old_codex: CodexScript) -> None:
    for script in (codex, old_codex):
        script.said("user", "<environment_context>\n<cwd>/x</cwd></environment_context>")
        script.said("user", "Fix it")
        script.said("assistant", "Looking.")
        script.item(type="reasoning", summary=[{"type": "summary_text", "text": "**Plan**"}], encrypted_content="…")
        script.output(
            script.call("shell", command=["bash", "-lc", "ls"]), '{"output":"a.py\\n","metadata":{"exit_code":2,"duration_seconds":0.1}}'
        )
    old_codex.raw({"record_type": "state"})

    new, old = seen(codex), seen(old_codex)

    assert [(observation.kind.value, observation.text) for observation in new] == [
        ("attachment", "<environment_context>\n<cwd>/x</cwd></environment_context>"),
        ("prompt", "Fix it"),
        ("message", "Looking."),
        ("thinking", "**Plan**"),
        ("call", '{"command":["bash","-lc","ls"]}'),
        ("result", "a.py\n"),
    ]
    assert [(observation.kind, observation.text) for observation in old] == [(observation.kind, observation.text) for observation in new]
    assert (new[-1].exit_code, new[-1].is_error, new[-1].tool, new[-1].session) == (2, True, "shell", old[-1].session)


@pytest.mark.parametrize(
    ("head", "exit_code"),
    [
        ("Exit code: 3\nWall time: 0.1 seconds\nOutput:\n", 3),
        (
            "Command: zsh -lc ls\nChunk ID: c1\nWall time: 0.0 seconds\nProcess exited with code 0\nOriginal token count: 0\nOutput:\n",
            0,
        ),
        ("plain\n", None),
    ],
)
def test_codex_tells_exit_codes_in_the_text(codex: CodexScript, head: str, exit_code: int | None) -> None:
    codex.output(codex.call("shell_command", command="ls"), f"{head}a\n")

    assert seen(codex)[-1].exit_code == exit_code


def test_codex_tells_exit_codes_and_patches_in_events(codex: CodexScript) -> None:
    ran = codex.call("exec_command", cmd="make")
    codex.event(type="exec_command_end", call_id=ran, exit_code=2, aggregated_output="…")
    codex.output(ran, "boom")
    codex.item(type="custom_tool_call", name="apply_patch", call_id="p1", input="*** Begin Patch\n*** Update File: a.ts\n")
    diff = "@@ -3,4 +3,5 @@\n one\n-two\n+2\n+2b\n three\n four\n@@ -20,1 +21,2 @@\n x\n+y\n"
    codex.event(
        type="patch_apply_end", call_id="p1", success=True, changes={"/home/dev/shop/a.ts": {"type": "update", "unified_diff": diff}}
    )
    codex.output(
        "p1", '{"output":"Success. Updated the following files:\\nM a.ts\\n","metadata":{"exit_code":0}}', "custom_tool_call_output"
    )

    found = seen(codex)

    assert found[1].exit_code == 2
    assert found[-1].call
    assert found[-1].call.result
    assert found[-1].call.result.changes == (FileChange("/home/dev/shop/a.ts", (Hunk(4, 1, 2), Hunk(21, 0, 1))),)


def test_codex_marks_compactions_and_passes_over_its_bills(codex: CodexScript) -> None:
    codex.event(type="token_count", info={"total_token_usage": {"total_tokens": 150}})
    codex.line(
        "compacted",
        {"message": "", "replacement_history": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
    )
    codex.event(type="context_compacted")
    codex.event(type="turn_aborted", reason="interrupted")

    found = seen(codex)

    assert [(observation.kind.value, observation.text) for observation in found] == [
        ("boundary", "Conversation compacted"),
        ("summary", "user: hi"),
        ("note", "[turn aborted: interrupted]"),
    ]


def test_codex_types_that_nobody_told_us_about_are_counted(codex: CodexScript) -> None:
    codex.item(type="telepathy")
    codex.event(type="aurora")
    reading = TranscriptReader([codex.bytes()])
    list(reading.read_batches())

    assert reading.unknown_types == {"response_item/telepathy": 1, "event_msg/aurora": 1}


def test_the_end_of_a_background_job_tells_its_status(claude: ClaudeScript) -> None:
    running = claude.call("TaskOutput", task_id="b1")
    claude.answer(
        running, "<retrieval_status>timeout</retrieval_status>\n\n<task_id>b1</task_id>\n\n<status>running</status>\n\n<output>\na"
    )
    ended = claude.call("BashOutput", bash_id="b1")
    claude.answer(ended, "<status>failed</status>\n\n<exit_code>2</exit_code>\n\n<stdout>\n<status>completed</status></stdout>")
    claude.call("Bash", command="cat notes")
    claude.prompt(
        "<task-notification>\n<task-id>b2</task-id>\n<output-file>/t/b2.output</output-file>\n<status>failed</status>\n"
        '<summary>Background command "Run the tests" failed with exit code 1</summary>\n</task-notification>',
    )

    queued = '<task-notification><task-id>b3</task-id><summary>Background command "x" completed (exit code 0)</summary></task-notification>'
    claude.add("attachment", attachment={"type": "queued_command", "prompt": queued, "commandMode": "task-notification"})

    told = [(each.call.job, each.call.result.job_exit_code) for each in seen(claude) if each.call and each.call.result]

    assert told == [("b1", None), ("b1", 2), ("b2", 1), ("b3", 0)]
