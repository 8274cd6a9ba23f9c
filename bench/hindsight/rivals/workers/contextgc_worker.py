"""contextgc: compile_messages over the OpenAI form of the messages, with its own schema for coding agents.

It has two modes and no size. Everything is sent through the compact mode when it does not fit as it is; where that leaves
room, as many of the newest messages as fit are left uncompiled, which its interface allows and which only adds to it.
"""

import json
import time

from contextgc import compile_messages, load_schema
from window import call_text, is_within, most, newest, serve, text_of

SCHEMA = load_schema("coding")


def compress(messages, budget_tokens, query):
    """Return the largest window within the budget, or the state register and the newest part of the smallest."""
    talk = _openai(messages)
    pieces, ms = _compiled(talk, "cache_friendly", query)
    if is_within(pieces, budget_tokens):
        return text_of(pieces), ms, "prefix untouched, state appended"
    tried = {}

    def fits(raw):
        compiled, ms = _compiled(talk[: len(talk) - raw], "compact", query)
        tried[raw] = [*compiled, *_pieces(talk[len(talk) - raw :])], ms
        return is_within(tried[raw][0], budget_tokens)

    raw = most(0, len(talk), fits) if fits(0) else None
    if raw is None:
        pieces, ms = tried[0]
        has_state = bool(pieces) and pieces[0].startswith("[system]")  # it says nothing where it tracked nothing
        return newest(pieces, budget_tokens, pinned=int(has_state)), ms, "compact; above the budget, its state and its newest part kept"
    pieces, ms = tried[raw]
    return text_of(pieces), ms, f"compact; the newest {raw} of {len(talk)} messages as they were"


def _compiled(talk, mode, query):
    if not talk:
        return [], 0.0
    started = time.perf_counter()
    compiled, _ = compile_messages(talk, mode=mode, schema=SCHEMA, recall_query=query or None)
    return _pieces(compiled), (time.perf_counter() - started) * 1000


def _openai(messages):
    """Return the messages in OpenAI's form, as a client of that API has them: results are messages of the role tool."""
    talk, names = [], {}
    for message in messages:
        said = []
        calls = []
        for block in message["content"] if isinstance(message["content"], list) else [{"type": "text", "text": message["content"]}]:
            if block["type"] == "text":
                said.append(block["text"])
            elif block["type"] == "tool_use":
                names[block["id"]] = block["name"]
                function = {"name": block["name"], "arguments": json.dumps(block["input"], ensure_ascii=False)}
                calls.append({"id": block["id"], "type": "function", "function": function})
            elif block["type"] == "tool_result":
                called = block["tool_use_id"]
                talk.append({"role": "tool", "tool_call_id": called, "name": names.get(called, ""), "content": block["content"]})
        if said or calls:
            talk.append({"role": message["role"], "content": "\n\n".join(said), **({"tool_calls": calls} if calls else {})})
    return talk


def _pieces(talk):
    pieces = []
    for message in talk:
        role, content = message["role"], message.get("content") or ""
        if role == "tool":
            pieces.append(f"[result]\n{content}")
        elif content:
            pieces.append(f"[{role}]\n{content}")
        called = [call["function"] for call in message.get("tool_calls") or ()]
        pieces += [call_text(function["name"], json.loads(function["arguments"])) for function in called]
    return pieces


if __name__ == "__main__":
    serve(compress)
