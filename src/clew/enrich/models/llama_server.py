"""Ask llama.cpp's own server for what only it has: token ids, its chat template, and the state of a slot as a file.

Only a server on this machine is asked: the state is a file that the server writes and reads, in a folder of clew's.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from yarl import URL

from clew.enrich.models.json_client import JsonClient

_END = "/completion"


class _Settings(msgspec.Struct):
    n_ctx: int = 0
    params: dict[str, Any] = {}


class _Props(msgspec.Struct):
    model_path: str
    build_info: str
    default_generation_settings: _Settings
    model_ftype: str = ""


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Prompt(msgspec.Struct):
    prompt: str


class _Counted(msgspec.Struct):
    input_tokens: int


class _Slot(msgspec.Struct):
    id: int
    is_processing: bool = False


class _Timings(msgspec.Struct):
    cache_n: int = 0
    prompt_ms: float = 0.0


class _Completion(msgspec.Struct):
    content: str = ""
    tokens: list[int] = []
    timings: _Timings = msgspec.field(default_factory=_Timings)


class _Moved(msgspec.Struct):
    n_saved: int = 0
    n_restored: int = 0


@dataclass(frozen=True, slots=True)
class ServerProps:
    """What a server says of itself: its model's file, its build, the weights' quantisation, and what its context was made with."""

    model_path: str
    build: str
    quantisation: str
    context: int
    adapters: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """What the model wrote, how many tokens of the prompt it had already evaluated, and the seconds that the rest of the prompt took."""

    text: str
    tokens: tuple[int, ...]
    reused: int
    prompt_s: float


class LlamaServer:
    """Client of a llama.cpp server.

    url     of the server, with or without `/v1`.
    socket  path of a Unix socket that is connected to in place of the address's host; "" for none.
    key     the server's API key, "" for none.
    Raises  BadEndpoint for an address that is not one.
    """

    def __init__(
        self, url: str, *, socket: str = "", key: str = "", timeout_s: float, place: str = "", wait: Callable[[float], None] = time.sleep
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = f"{URL(url).origin()}{_END}"
        self._client = JsonClient(address, _END, headers, secret=key, timeout_s=timeout_s, socket=socket, place=place or url, wait=wait)
        self.place = self._client.place

    def props(self) -> ServerProps:
        """Return what the server says of itself. Raises ModelError where it is no llama.cpp server."""
        told = self._client.get("/props", lambda data: msgspec.json.decode(data, type=_Props))
        made = told.default_generation_settings
        adapters = msgspec.json.encode(made.params.get("lora", [])).decode()
        return ServerProps(told.model_path, told.build_info, told.model_ftype, made.n_ctx, adapters)

    def tokenize(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt, with what the model puts in front of each."""
        payload = {"content": text, "add_special": True, "parse_special": True}
        return self._client.post(payload, lambda data: msgspec.json.decode(data, type=_Tokens).tokens, end="/tokenize")

    def continue_tokens(self, text: str) -> list[int]:
        """Return the token ids of a text that follows other tokens."""
        payload = {"content": text, "add_special": False, "parse_special": True}
        return self._client.post(payload, lambda data: msgspec.json.decode(data, type=_Tokens).tokens, end="/tokenize")

    def render(self, body: dict[str, Any]) -> str:
        """Return the prompt that the model's chat template makes of `messages` and `tools` in the chat completions dialect."""
        return self._client.post(body, lambda data: msgspec.json.decode(data, type=_Prompt).prompt, end="/apply-template")

    def count_tokens(self, body: dict[str, Any]) -> int:
        """Return how many tokens the server makes of a request in Anthropic's dialect."""
        return self._client.post(body, lambda data: msgspec.json.decode(data, type=_Counted).input_tokens, end="/v1/messages/count_tokens")

    def idle_slot(self) -> int | None:
        """Return the last slot that answers nobody now, None where all are busy."""
        slots = self._client.get("/slots", lambda data: msgspec.json.decode(data, type=list[_Slot]))
        return max((slot.id for slot in slots if not slot.is_processing), default=None)

    def complete(self, tokens: Sequence[int], *, slot: int, tokens_max: int, is_fresh: bool) -> Continuation:
        """Let the model go on greedily after these tokens; with `is_fresh` nothing that it has evaluated is used."""
        payload = {
            "prompt": list(tokens), "n_predict": tokens_max, "temperature": 0, "cache_prompt": not is_fresh,
            "id_slot": slot, "return_tokens": True,
        }  # fmt: skip
        told = self._client.post(payload, lambda data: msgspec.json.decode(data, type=_Completion))
        return Continuation(told.content, tuple(told.tokens), told.timings.cache_n, told.timings.prompt_ms / 1000)

    def save(self, slot: int, name: str) -> int:
        """Write the slot's state to the file `name` of the server's folder; return for how many tokens."""
        return self._move(slot, "save", name).n_saved

    def restore(self, slot: int, name: str) -> int:
        """Read the slot's state from a file of the server's folder; return for how many tokens."""
        return self._move(slot, "restore", name).n_restored

    def erase(self, slot: int) -> None:
        """Let the slot hold nothing."""
        self._move(slot, "erase", "")

    def _move(self, slot: int, action: str, name: str) -> _Moved:
        read = msgspec.json.Decoder(_Moved).decode
        return self._client.post({"filename": name}, read, end=f"/slots/{slot}", query={"action": action})


def is_local(url: str) -> bool:
    """Return whether an address is this machine's own."""
    host = URL(url).host or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
