"""Connect to the model that compresses sessions: a local endpoint, Anthropic's API, or none.

The only place in clew that opens a connection to a model, and only for `clew compress`. No answer is trusted here:
`clew.enrich.answer_check` checks it.
"""

from __future__ import annotations

from clew.enrich.models.anthropic import ANTHROPIC_ENDPOINT, AnthropicCompressor
from clew.enrich.models.chat_completions import ChatCompressor
from clew.enrich.models.compressor import Compressor, DisabledCompressor, ModelAnswer, ModelRequest
from clew.errors import NoCompressionModel

__all__ = [
    "ANTHROPIC_ENDPOINT",
    "AnthropicCompressor",
    "ChatCompressor",
    "Compressor",
    "DisabledCompressor",
    "ModelAnswer",
    "ModelRequest",
    "build_compressor",
]

_SPOKEN_BY = "anthropic+"  # before the address of a gateway that speaks Anthropic's dialect


def build_compressor(endpoint: str, model: str, *, key: str = "", timeout_s: float) -> Compressor:
    """Return the client of the model `model` at an endpoint.

    endpoint   "" or "off" for none; "anthropic"; "anthropic+URL" for a gateway with Anthropic's API; else the URL of
               an OpenAI-compatible server, such as `http://localhost:11434/v1`.
    key        the server's API key, "" for none. Stored nowhere.
    timeout_s  of one answer.
    Raises     CompressionOff for an endpoint without a model's name; BadEndpoint for an address that is not one, or that would
               carry the key unencrypted over a network.
    """
    if endpoint in ("", "off"):
        return DisabledCompressor()
    if not model:
        raise NoCompressionModel("no model is named", "name one with --model, or in the setting `compress_model`")
    if endpoint == ANTHROPIC_ENDPOINT or endpoint.startswith(_SPOKEN_BY):
        return AnthropicCompressor(
            model, key=key, timeout_s=timeout_s, url=endpoint.removeprefix(_SPOKEN_BY) if endpoint != ANTHROPIC_ENDPOINT else ""
        )
    return ChatCompressor(endpoint, model, key=key, timeout_s=timeout_s)
