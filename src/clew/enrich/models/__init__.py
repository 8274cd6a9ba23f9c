"""Models: who can be asked to compress? One port, and what speaks it: a local endpoint, Anthropic's API, or nobody.

The only place in clew that opens a connection, and only when somebody calls `clew compress`. No answer here is
believed: `clew.enrich.answer_check` judges it.
"""

from __future__ import annotations

from clew.enrich.models.anthropic import ANTHROPIC_ENDPOINT, AnthropicCompressor
from clew.enrich.models.chat_completions import ChatCompressor
from clew.enrich.models.compressor import Compressor, DisabledCompressor, ModelAnswer, ModelRequest
from clew.errors import CompressionOff

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
    """Return who answers at `endpoint`.

    endpoint   "" or "off" for nobody; "anthropic"; "anthropic+URL" for a gateway that speaks its dialect; else the URL of
               an OpenAI-compatible server, such as `http://localhost:11434/v1`.
    model      its name there. Raises CompressionOff if there is none.
    key        what the server asks for, "" for none. Kept nowhere.
    timeout_s  of one answer.
    Raises     BadEndpoint for an address that makes no sense, or that would carry the key unencrypted over a network.
    """
    if endpoint in ("", "off"):
        return DisabledCompressor()
    if not model:
        raise CompressionOff("no model is named", "name one with --model, or in the setting `compress_model`")
    if endpoint == ANTHROPIC_ENDPOINT or endpoint.startswith(_SPOKEN_BY):
        return AnthropicCompressor(
            model, key=key, timeout_s=timeout_s, url=endpoint.removeprefix(_SPOKEN_BY) if endpoint != ANTHROPIC_ENDPOINT else ""
        )
    return ChatCompressor(endpoint, model, key=key, timeout_s=timeout_s)
