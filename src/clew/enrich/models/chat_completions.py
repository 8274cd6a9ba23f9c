"""Send requests to an OpenAI-compatible chat completions API: Ollama, llama.cpp, vLLM, LM Studio and many others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from clew.enrich.models.json_client import JsonClient
from clew.enrich.models.model import ModelAnswer, ModelRequest
from clew.errors import BadModelName, ModelError, ModelInputTruncated

# Servers cut a request that is longer than their window without a word. Their vocabularies are about as good as o200k, by
# which `ModelRequest.tokens` is counted, and templates come on top; below this share of it, something was cut. Guess.
COUNTED_SHARE_MIN = 0.8
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)  # some servers leave a model's reasoning in its answer


class _Said(msgspec.Struct):
    content: Any = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _FirstToken(msgspec.Struct):
    top_logprobs: list[_Alternative] = []


class _Probabilities(msgspec.Struct):
    content: list[_FirstToken] | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Probabilities | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Listed(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    data: list[_Listed]


class ChatModel:
    """Client of an OpenAI-compatible chat server.

    url     of the server, whole, up to `/v1`, or as host and port.
    model   its name there; "" for the only one that the server lists.
    socket  path of a Unix socket that is connected to in place of the address's host; "" for none.
    place   what is said to be asked; "" for the address.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        timeout_s: float,
        socket: str = "",
        place: str = "",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = JsonClient(url, "/chat/completions", headers, secret=key, timeout_s=timeout_s, socket=socket, place=place, wait=wait)
        self._name = model
        self.place = self._client.place

    @property
    def name(self) -> str:
        """The model's name; where none was given the server is asked. Raises ModelError, or BadModelName where it lists several."""
        if not self._name:
            try:
                listed = [each.id for each in self._client.get("/models", lambda data: msgspec.json.decode(data, type=_Listing)).data]
            except ModelError as error:
                raise BadModelName(self.place, f"no model is named, and the server lists none ({error.line})", "URL#NAME") from None
            if len(listed) != 1:
                raise BadModelName(self.place, f"no model is named, and the server has {', '.join(listed[:8]) or 'none'}", "URL#NAME")
            self._name = listed[0]
        return self._name

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the answer. Raises ModelError, such as ModelInputTruncated where the server read only part of it."""
        payload: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.text}],
            "max_tokens": request.answer_tokens_max,
            "temperature": 0,
            "stream": False,
        }
        if request.choices:
            payload |= {"logprobs": True, "top_logprobs": request.choices}
        answer = self._client.post(payload, _read)
        if 0 < answer.input_tokens < request.tokens * COUNTED_SHARE_MIN:
            raise ModelInputTruncated(self.place, answer.input_tokens, request.tokens)
        return answer

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""


def _read(data: bytes) -> ModelAnswer:
    reply = msgspec.json.decode(data, type=_Reply)
    if not reply.choices:
        raise ValueError("the answer holds no choice")
    choice = reply.choices[0]
    usage = reply.usage or _Usage()
    text = _THOUGHT.sub("", _text(choice.message.content))
    first = choice.logprobs.content[0].top_logprobs if choice.logprobs and choice.logprobs.content else []
    told = tuple((each.token, each.logprob) for each in first)
    return ModelAnswer(text, choice.finish_reason == "length", usage.prompt_tokens or 0, usage.completion_tokens or 0, told)


def _text(content: Any) -> str:
    """The words of a message: a string, or a list of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType,reportUnknownMemberType]
    return content if isinstance(content, str) else ""
