"""Send requests to Anthropic's Messages API, at its own address or at a gateway that offers it."""

from __future__ import annotations

import msgspec

from clew.enrich.models.json_client import JsonClient
from clew.enrich.models.model import ModelAnswer, ModelRequest
from clew.errors import NoModel

_VERSION = "2023-06-01"


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Reply(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    usage: _Usage | None = None


class AnthropicModel:
    """Client of Anthropic's Messages API. No temperature is sent: the newest models refuse one. It gives no probabilities of tokens."""

    def __init__(self, url: str, model: str, *, key: str, timeout_s: float) -> None:
        if not key:
            raise NoModel(
                "Anthropic's API asks for a key", "put it into the environment as ANTHROPIC_API_KEY, of a gateway as CLEW_MODEL_KEY"
            )
        headers = {"x-api-key": key, "anthropic-version": _VERSION}
        self.name = model
        self._client = JsonClient(url, "/messages", headers, secret=key, timeout_s=timeout_s)
        self.place = self._client.place

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Send one request and return the model's answer. Raises ModelError."""
        payload = {
            "model": self.name,
            "max_tokens": request.answer_tokens_max,
            "system": request.system,
            "messages": [{"role": "user", "content": request.text}],
        }
        return self._client.post(payload, _read)

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""


def _read(data: bytes) -> ModelAnswer:
    reply = msgspec.json.decode(data, type=_Reply)
    usage = reply.usage or _Usage()
    read = (usage.input_tokens or 0) + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    text = "".join(block.text for block in reply.content if block.type == "text")
    return ModelAnswer(text, reply.stop_reason == "max_tokens", read, usage.output_tokens or 0)
