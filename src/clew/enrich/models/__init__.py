"""Open the model that a setting names: a GGUF file run in a child process, an OpenAI-compatible server, Anthropic's API, or none.

The only place in clew that opens a connection to a model. Nothing here is on the way of a question or a hook, and no answer is trusted
here: whoever asked checks it.
"""

from __future__ import annotations

from pathlib import Path

from clew.enrich.models.anthropic import AnthropicModel
from clew.enrich.models.chat_completions import ChatModel
from clew.enrich.models.describe import ModelDescription, describe_model, measure_model
from clew.enrich.models.gguf import GgufModel
from clew.enrich.models.known import KnownModels, Measured
from clew.enrich.models.model import DisabledModel, Model, ModelAnswer, ModelRequest
from clew.enrich.models.naming import ModelName, parse_model_name

__all__ = [
    "AnthropicModel",
    "ChatModel",
    "DisabledModel",
    "GgufModel",
    "KnownModels",
    "Measured",
    "Model",
    "ModelAnswer",
    "ModelDescription",
    "ModelName",
    "ModelRequest",
    "describe_model",
    "measure_model",
    "open_model",
    "parse_model_name",
]


def open_model(text: str, *, folder: Path, key: str = "", timeout_s: float, states: Path | None = None) -> Model:
    """Return the client of the model that `text` names (`clew.enrich.models.naming`). Whoever opens it closes it.

    folder     clew's data folder, where what was measured of models is kept.
    key        the server's API key, "" for none. Stored nowhere.
    timeout_s  of one answer.
    states     folder to which a file's process writes states; None for no states.
    Raises     BadModelName; BadEndpoint for an address that is not one, or that would carry the key unencrypted
               over a network; BadModelFile and ModelsNotInstalled for a file.
    """
    named = parse_model_name(text)
    if named is None:
        return DisabledModel()
    if named.kind == "anthropic":
        return AnthropicModel(named.target, named.name, key=key, timeout_s=timeout_s)
    if named.kind == "openai":
        return ChatModel(named.target, named.name, key=key, timeout_s=timeout_s)
    return GgufModel(Path(named.target), sha256=named.sha256, known=KnownModels(folder), timeout_s=timeout_s, states=states)
