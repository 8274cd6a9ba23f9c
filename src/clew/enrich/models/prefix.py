"""Find the tokens with which each prompt of a session begins, and let a llama.cpp server hold their state before it reads the first.

The prefix is the system prompt, the tools, and what stands in the first message before the user's own words. It is found by the server's
own template and tokens: two requests with different last words are rendered, and what both begin with is the prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from clew.enrich.models.known import KnownModels
from clew.enrich.models.llama_server import LlamaServer, ServerProps
from clew.enrich.models.states import TOKENS_MIN, ModelIdentity, ModelStates, StoredState
from clew.errors import StateNotKept

SERVER_BATCH = 512  # tokens that a llama.cpp server evaluates at once unless told otherwise (`--ubatch-size`); with others the check fails
_PROBES = ("Alpha", "Zulu")  # last words of the two requests; no vocabulary writes them with a common token


@dataclass(frozen=True, slots=True)
class PreparedState:
    """The state that the server's slot holds, and whether it was restored or evaluated."""

    state: StoredState
    is_restored: bool


def identify_model(props: ServerProps, known: KnownModels, *, batch: int = SERVER_BATCH, build: str = "") -> ModelIdentity:
    """Return what a state depends on beside its tokens. Raises BadModelFile where the model's file cannot be read here."""
    made = " ".join(filter(None, (build, props.build)))
    return ModelIdentity(known.hash_of(Path(props.model_path)), made, props.quantisation, props.context, props.adapters, batch)


def to_chat(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the part of a session's first request that the template reads, in the chat completions dialect.

    body     in that dialect or in Anthropic's, which has `system` beside `messages`.
    Returns  None for a later request, and for one that has no text of the user at its end.
    """
    messages = [dict(message) for message in body.get("messages", [])]
    if not messages or any(message.get("role") not in ("system", "developer", "user") for message in messages):
        return None
    if messages[-1].get("role") != "user" or _replace_last_text(messages[-1].get("content"), "") is None:
        return None
    tools = [each if "function" in each else _chat_tool(each) for each in body.get("tools") or ()]
    if (system := body.get("system")) is not None:
        text = system if isinstance(system, str) else "".join(block.get("text", "") for block in system)
        messages.insert(0, {"role": "system", "content": text})
    return {"messages": messages, **({"tools": tools} if tools else {})}


def find_prefix(server: LlamaServer, chat: Mapping[str, Any]) -> list[int]:
    """Return the token ids with which the prompt begins whatever the user's last words are. Raises ModelError."""
    first, second = (server.tokenize(server.render(_with_last_text(chat, word))) for word in _PROBES)
    return first[: _common_length(first, second)]


def prepare_state(
    server: LlamaServer, states: ModelStates, identity: ModelIdentity, prefix: Sequence[int], *, model: str, slot: int
) -> PreparedState:
    """Let the slot hold the state of the prefix: restored where it is stored, else evaluated and stored.

    Where another prompt began with part of the prefix, that part is stored: it is what prompts have in common. The first state of a
    model, a build and a context is checked (`ModelStates.store`), the others are of the same kind.
    Raises  StateNotKept, other ModelErrors, OSError. The server then evaluates the prompt as if nothing had been asked.
    """
    known = [state for state in states.states() if state.identity == identity]
    found = states.find(identity, prefix)
    if found is not None and states.load(server, found, slot=slot):
        return PreparedState(found, is_restored=True)
    shared = max((_common_length(state.tokens, prefix) for state in known), default=0) // identity.batch * identity.batch
    length = shared if shared >= TOKENS_MIN else len(prefix)
    is_checked = not any(state.is_checked for state in known)
    return PreparedState(states.store(server, identity, prefix[:length], model=model, slot=slot, is_checked=is_checked), is_restored=False)


def prepare_request(
    server: LlamaServer, props: ServerProps, states: ModelStates, known: KnownModels, body: Mapping[str, Any]
) -> PreparedState | None:
    """Prepare the state of a session's first request, in either dialect. Return None for a later request, and while all slots are busy.

    Raises  as `prepare_state`; StateNotKept also where the server makes another prompt of the request than its template gives.
    """
    chat = to_chat(body)
    slot = server.idle_slot() if chat is not None else None
    if chat is None or slot is None:
        return None
    if is_anthropic(body):
        counted, rendered = server.count_tokens(dict(body)), len(server.tokenize(server.render(chat)))
        if counted != rendered:
            raise StateNotKept(server.place, f"of a request it makes {counted} tokens, its template {rendered}", is_lasting=True)
    identity = identify_model(props, known)
    return prepare_state(server, states, identity, find_prefix(server, chat), model=Path(props.model_path).name, slot=slot)


def is_anthropic(body: Mapping[str, Any]) -> bool:
    """Return whether a request is in Anthropic's dialect, as far as the prompt shows it."""
    return "system" in body or any("input_schema" in tool for tool in body.get("tools") or ())


def _chat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    named = {"name": tool.get("name", ""), "description": tool.get("description", ""), "parameters": tool.get("input_schema", {})}
    return {"type": "function", "function": named}


def _with_last_text(chat: Mapping[str, Any], text: str) -> dict[str, Any]:
    *before, last = chat["messages"]
    return {**chat, "messages": [*before, {**last, "content": _replace_last_text(last["content"], text)}]}


def _replace_last_text(content: Any, text: str) -> Any:
    """Content with other last words; None where it does not end in a text."""
    if isinstance(content, str):
        return text
    parts = cast("list[dict[str, Any]]", content) if isinstance(content, list) else []
    if not parts or parts[-1].get("type") != "text":
        return None
    return [*parts[:-1], {"type": "text", "text": text}]


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
