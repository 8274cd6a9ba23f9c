"""Read untyped JSON fields safely.

Clients change the shape of their records from release to release. A field of an unexpected type is read as
if it were absent; the rest of the record is still used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from clew.records import CallOutcome, Hunk
from clew.task.truncation import is_truncated_preview

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HUNK_HEAD = re.compile(r"^@@ -(\d{1,9})(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})? @@", re.MULTILINE)
_NOTHING: Mapping[str, object] = {}
_EXIT_HEAD = re.compile(r"\A(?:[^\n]{0,200}\n){0,6}?(?:Exit code:? |Process exited with code )(\d{1,3})$", re.MULTILINE)
_TITLES = ("description", "pattern", "url", "query", "skill", "subject", "prompt", "input", "plan")


def text_or_empty(value: object) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def int_or_zero(value: object) -> int:
    """Return the value if it is a whole number of at most 62 bits, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(1 << 62) < value < 1 << 62 else 0


def mapping_or_empty(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object, else an empty mapping."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else _NOTHING


def list_or_empty(value: object) -> list[object]:
    """Return the value if it is a JSON array, else an empty list."""
    return cast("list[object]", value) if isinstance(value, list) else []


def find_first_text(inputs: Mapping[str, object], *keys: str) -> str:
    """Return the first of these fields that is a non-empty string, else ""."""
    return next((text for key in keys if (text := text_or_empty(inputs.get(key)))), "")


def find_title(inputs: Mapping[str, object]) -> str:
    """Return the input field that says what a tool call is for (its description, pattern, query, …), else ""."""
    return find_first_text(inputs, *_TITLES)


def parse_command_line(value: object) -> str:
    """Return the command line in a tool's input: a string as it is, a list of words joined, of `bash -c LINE` the line alone."""
    if isinstance(value, str):
        return value
    words = [word for word in list_or_empty(value) if isinstance(word, str)]
    if len(words) == 3 and words[0].rpartition("/")[2] in ("bash", "sh", "zsh") and words[1] in ("-c", "-lc"):
        return words[2]
    return " ".join(words)


def infer_outcome(text: str, *, is_error: bool | None, exit_code: int | None) -> CallOutcome:
    """Return how a tool call ended: by its exit code, else by the client's error mark, else by an exit code at the top of its output."""
    if exit_code is not None:
        return CallOutcome.FAILED if exit_code else CallOutcome.OK
    if is_error is None and not is_truncated_preview(text) and (found := _EXIT_HEAD.match(text[:2000])):
        return CallOutcome.FAILED if found[1] != "0" else CallOutcome.OK
    return CallOutcome.FAILED if is_error else CallOutcome.OK


def parse_plan_steps(steps: object) -> tuple[tuple[str, str], ...] | None:
    """Return (text, status) of each step of a to-do list; None when the value is not a list."""
    if not isinstance(steps, list):
        return None
    found = [mapping_or_empty(step) for step in list_or_empty(cast("object", steps))]
    return tuple(
        (find_first_text(step, "content", "step", "text"), normalize_step_status(text_or_empty(step.get("status")), "deleted"))
        for step in found
    )


def normalize_step_status(status: str, *completed_spellings: str) -> str:
    """Return a to-do step's status: "completed" for all its spellings, "pending" for none."""
    return "completed" if status in ("done", "complete", *completed_spellings) else status or "pending"


def parse_time_ns(value: object) -> int:
    """Return an ISO 8601 time as nanoseconds since 1970; 0 for anything else and for years beyond 62 bits."""
    if not isinstance(value, str) or len(value) < 19:
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int_or_zero((moment - _EPOCH) // _MICROSECOND * 1000)


def encode_compact_json(value: object) -> str:
    """Encode a value as JSON without spaces, keys sorted."""
    return msgspec.json.encode(value, order="sorted").decode()


def render_content(content: object) -> str:
    """Return a message's content as plain text, blocks joined by line breaks, with a placeholder for images and other non-text blocks."""
    if isinstance(content, str):
        return content
    return "\n".join(block if isinstance(block, str) else _block_text(mapping_or_empty(block)) for block in list_or_empty(content))


def _block_text(block: Mapping[str, object]) -> str:
    kind = text_or_empty(block.get("type"))
    if kind in ("text", "input_text", "output_text", "summary_text", "reasoning_text"):
        return text_or_empty(block.get("text"))
    if kind in ("image", "input_image", "document", "input_file", "audio", "input_audio"):
        media = text_or_empty(mapping_or_empty(block.get("source")).get("media_type")) or text_or_empty(block.get("filename"))
        return f"[{kind.removeprefix('input_')}{': ' + media if media else ''}]"
    if kind == "tool_reference":
        return f"[tool: {text_or_empty(block.get('tool_name'))}]"
    if kind == "resource":
        return text_or_empty(mapping_or_empty(block.get("resource")).get("text")) or "[resource]"
    if kind in ("web_search_result", "search_result", "resource_link"):
        return f"{find_first_text(block, 'title', 'name')} {find_first_text(block, 'url', 'uri')}".strip()
    return text_or_empty(block.get("text")) or (f"[{kind}]" if kind else "")


def parse_patch_hunks(patch: Iterable[object]) -> tuple[Hunk, ...]:
    """Parse a structured patch: objects with `oldStart` and `lines`, each line with its mark (` `, `-` or `+`)."""
    found: list[Hunk] = []
    for item in patch:
        hunk = mapping_or_empty(item)
        found.extend(_split_hunk(int_or_zero(hunk.get("oldStart")), [text_or_empty(line)[:1] for line in list_or_empty(hunk.get("lines"))]))
    return tuple(found)


def parse_diff_hunks(diff: str) -> tuple[Hunk, ...]:
    """Parse the hunks of a unified diff of one file."""
    found: list[Hunk] = []
    heads = list(_HUNK_HEAD.finditer(diff))
    ends = [head.start() for head in heads[1:]] + [len(diff)]
    for head, end in zip(heads, ends[: len(heads)], strict=True):
        body = diff[head.end() : end].split("\n")[1:]
        found.extend(_split_hunk(int(head[1]), [line[:1] for line in body]))
    return tuple(found)


def _split_hunk(old_start: int, marks: list[str]) -> Iterable[Hunk]:
    """Cut a hunk into the runs of lines that it changes."""
    at = max(old_start, 1)
    removed = added = 0
    for mark in [*marks, " "]:
        if mark == "-":
            removed += 1
        elif mark == "+":
            added += 1
        elif mark != "\\":  # "\ No newline at end of file" is no line
            if removed or added:
                yield Hunk(at, removed, added)
                at += removed
                removed = added = 0
            at += 1
