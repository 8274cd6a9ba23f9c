"""Send compression requests to an OpenAI-compatible chat completions API: Ollama, llama.cpp, vLLM, LM Studio and many others."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from clew.enrich.models.compressor import ModelAnswer, ModelRequest
from clew.enrich.models.json_client import JsonClient
from clew.errors import ModelInputTruncated

# Servers cut a request that is longer than their window without a word. Their vocabularies are about as good as o200k, by
# which `ModelRequest.tokens` is counted, and templates come on top; below this share of it, something was cut. Guess.
COUNTED_SHARE_MIN = 0.8
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)  # some servers leave a model's reasoning in its answer


class _Said(msgspec.Struct):
    content: Any = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class ChatCompressor:
    """Client of an OpenAI-compatible chat server that writes short texts of session parts.

    url  of the server, whole, up to `/v1`, or as host and port.
    """

    def __init__(self, url: str, model: str, *, key: str = "", timeout_s: float, wait: Callable[[float], None] = time.sleep) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.name = model
        self._client = JsonClient(url, "/chat/completions", headers, secret=key, timeout_s=timeout_s, wait=wait)
        self.place = self._client.place

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the answer. Raises ModelError, such as ModelTruncated where the server read only part of it."""
        payload = {
            "model": self.name,
            "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.text}],
            "max_tokens": request.answer_tokens_max,
            "temperature": 0,
            "stream": False,
        }
        answer = self._client.post(payload, _read)
        if 0 < answer.input_tokens < request.tokens * COUNTED_SHARE_MIN:
            raise ModelInputTruncated(self.place, answer.input_tokens, request.tokens)
        return answer


def _read(data: bytes) -> ModelAnswer:
    reply = msgspec.json.decode(data, type=_Reply)
    if not reply.choices:
        raise ValueError("the answer holds no choice")
    choice = reply.choices[0]
    usage = reply.usage or _Usage()
    text = _THOUGHT.sub("", _text(choice.message.content))
    return ModelAnswer(text, choice.finish_reason == "length", usage.prompt_tokens or 0, usage.completion_tokens or 0)


def _text(content: Any) -> str:
    """The words of a message: a string, or a list of parts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType,reportUnknownMemberType]
    return content if isinstance(content, str) else ""
