"""Settings: which values were chosen? The only reader of the environment and of configuration files.

A value comes from the command line, else from the environment (`CLEW_…`), else from `config.toml` in the data
folder, else from the default here. Everything else is handed its values.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from clew.errors import UsageError
from clew.records import identify

DATABASE = "clew.db"
TEXTS = frozenset({"tokenizer", "embedder", "reorder", "compress_endpoint", "compress_model", "compress_price", "gateway_upstream"})
MAY_BE_OFF = frozenset({"reorder", "compress_endpoint"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force.

    home           folder of the database; made with mode 0700.
    tokenizer      name of the token counter that a call uses when it names none.
    embedder       `builtin` for the embedding that clew ships, or the folder of one in Model2Vec's form; "" for none.
    reorder        "" or "off"; "minilm", which the extra `clew[reorder]` brings; or a folder with model.onnx and tokenizer.json.
    budget_tokens  of a packet when a call names none.
    jobs           processes that read files; 0 for one per core.
    folded_after_days, archived_after_days  `forget` moves records that nobody retrieved for so long.
    compress_endpoint, compress_model  who compresses sessions when `clew compress` is called; "" or "off" for nobody.
    compress_chunk_tokens, compress_timeout_s  of one request.
    compress_price  dollars for a million tokens, of what is sent and of what comes back, such as "1/5"; "" when unknown.
    serve_idle_s     the daemon rests when nobody has asked it for so long.
    gateway_upstream  base URL of whom the gateway asks.
    prompt_budget_tokens   what is added to a prompt, at most; 0 adds nothing.
    compact_budget_tokens  of the window after a compaction inside the client.
    """

    home: Path
    tokenizer: str = "claude"
    embedder: str = ""
    reorder: str = ""
    budget_tokens: int = 8192
    jobs: int = 0
    folded_after_days: int = 30
    archived_after_days: int = 180
    compress_endpoint: str = ""
    compress_model: str = ""
    compress_chunk_tokens: int = 6000
    compress_timeout_s: int = 600
    compress_price: str = ""
    serve_idle_s: int = 1800
    gateway_upstream: str = "https://api.anthropic.com"
    prompt_budget_tokens: int = 1500
    compact_budget_tokens: int = 16_000

    @property
    def database(self) -> Path:
        """The file that holds everything."""
        return self.home / DATABASE


class BadSetting(UsageError):
    """A setting has a value that it cannot have."""

    def __init__(self, where: str, name: str, value: object, expected: str) -> None:
        self.where, self.name, self.value = where, name, value
        super().__init__(f"{where}: {name} = {value!r} is not {expected}\nhint: correct it, or take it out for the default")


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force. Raises BadSetting for a value that makes no sense, and for an unknown name in config.toml."""
    env = os.environ if environ is None else environ
    home = Path(env.get("CLEW_HOME") or platformdirs.user_data_dir("clew")).expanduser()
    settings = Settings(home)
    config = home / "config.toml"
    if config.is_file():
        try:
            values = tomllib.loads(config.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadSetting(str(config), "the file", str(error), "TOML") from error
        settings = _with(settings, str(config), values)
    names = {field.name for field in fields(Settings)} - {"home"}
    return _with(settings, "environment", {name: env[key] for name in sorted(names) if (key := f"CLEW_{name.upper()}") in env})


def claude_code_home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder in which Claude Code keeps its transcripts: where its own variable moved it, else `~/.claude`."""
    env = os.environ if environ is None else environ
    return Path(env.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser()


def client_folders(transcript: str, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the folders in which Claude Code itself keeps outputs that it has cut: the project of a transcript, and its temporary one."""
    env = os.environ if environ is None else environ
    temporary = env.get("CLAUDE_CODE_TMPDIR", "")
    return (*((Path(transcript).parent,) if transcript else ()), *((Path(temporary),) if temporary else ()))


def client_base_url(environ: Mapping[str, str] | None = None) -> str:
    """Return whom Claude Code asks by its own variable, "" where that is not set."""
    env = os.environ if environ is None else environ
    return env.get("ANTHROPIC_BASE_URL", "").strip()


def model_key(endpoint: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the key that is sent to the server of a model: `CLEW_COMPRESS_KEY`; for Anthropic's own address else `ANTHROPIC_API_KEY`.

    From the environment alone, kept nowhere; "" where there is none.
    """
    env = os.environ if environ is None else environ
    return (env.get("CLEW_COMPRESS_KEY") or (env.get("ANTHROPIC_API_KEY", "") if endpoint == "anthropic" else "")).strip()


def shows_traceback(environ: Mapping[str, str] | None = None) -> bool:
    """Whether whoever runs clew wants to see where an error rose (`CLEW_TRACEBACK=1`). Works when the settings are broken."""
    env = os.environ if environ is None else environ
    return env.get("CLEW_TRACEBACK", "") not in ("", "0")


def workspace_of(path: Path) -> tuple[str, Path]:
    """Return the key and the root of the workspace that holds `path`: its git work tree, else the folder itself."""
    start = path.resolve()
    if not start.is_dir():
        start = start.parent
    root = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)
    return identify("workspace", str(root))[:16], root


def _with(settings: Settings, where: str, values: Mapping[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)} - {"home"}
    for name, value in values.items():
        if "key" in name.lower():  # never repeat it: errors are pasted into reports
            raise BadSetting(where, name, "…", "kept in a file: a key stands in the environment alone, as CLEW_COMPRESS_KEY")
        if name not in known:
            raise BadSetting(where, name, value, f"a setting; known are {', '.join(sorted(known))}")
        if name in TEXTS:
            chosen = str(value)
            settings = replace(settings, **{name: "" if name in MAY_BE_OFF and chosen == "off" else chosen})
            continue
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise BadSetting(where, name, value, "a whole number") from None
        if number < 0:
            raise BadSetting(where, name, value, "zero or more")
        settings = replace(settings, **{name: number})
    return settings
