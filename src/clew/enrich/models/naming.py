"""Read the setting `model`, which names a model by a path or a URL.

| text | means |
|---|---|
| `/models/small.gguf` | a GGUF file, run on this machine |
| `/models/small.gguf#sha256=1d96…` | the same, and no file with other bytes |
| `http://localhost:11434/v1#qwen3:8b` | the model of that name at an OpenAI-compatible server; without a name the only one it lists |
| `anthropic#NAME` | Anthropic's API |
| `anthropic+https://gateway.example.org#NAME` | a gateway that speaks Anthropic's dialect |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clew.errors import BadModelName

ANTHROPIC_URL = "https://api.anthropic.com"
ModelKind = Literal["gguf", "openai", "anthropic"]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GATEWAY = "anthropic+"  # before the address of a gateway that speaks Anthropic's dialect


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model as it was named.

    target  the path of a file, or the address of a server.
    name    of the model at that server, "" where none was given.
    sha256  that the file must have, "" for any.
    """

    kind: ModelKind
    target: str
    name: str = ""
    sha256: str = ""


def parse_model_name(text: str) -> ModelName | None:
    """Return what a text of the setting `model` names, None for "" and "off". Raises BadModelName."""
    if text in ("", "off"):
        return None
    before, _, after = text.partition("#")
    if before in ("anthropic", ANTHROPIC_URL) or before.startswith((_GATEWAY, f"{ANTHROPIC_URL}/")):
        if not after:
            raise BadModelName(text, "names no model of Anthropic's API", "anthropic#NAME")
        return ModelName("anthropic", before.removeprefix(_GATEWAY) if before != "anthropic" else ANTHROPIC_URL, after)
    if before.startswith(("http://", "https://")):
        return ModelName("openai", before, after)
    path = Path(before).expanduser()
    wanted = after.removeprefix("sha256=").lower()
    if after and not (after.startswith("sha256=") and _SHA256.fullmatch(wanted)):
        raise BadModelName(text, "has an end that is no hash", "/path/to/model.gguf#sha256= and 64 hexadecimal digits")
    if "/" not in text and "\\" not in text and path.suffix.lower() != ".gguf":
        raise BadModelName(text, "is neither a path nor a URL", "/path/to/model.gguf, http://localhost:11434/v1#NAME, or anthropic#NAME")
    return ModelName("gguf", str(path), sha256=wanted)
