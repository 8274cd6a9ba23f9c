"""Settings: which values were chosen? The only reader of the environment and of configuration files.

A value comes from the command line, else from the environment (`CLEW_…`), else from `config.toml` in the data
folder, else from the default here. Everything else is handed its values. A name that this release does not know is passed
over with a warning, so that a file written for another release stops nothing; a known name with a value that makes no sense
is an error for commands, and for the daemon the default.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from clew.errors import UnknownTokenizer, UsageError
from clew.records import identify

DATABASE = "clew.db"
CONFIG = "config.toml"
TEXTS = frozenset({"tokenizer", "embedder", "compress_endpoint", "compress_model", "compress_price", "gateway_upstream"})
MAY_BE_OFF = frozenset({"compress_endpoint"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force.

    home           folder of the database; made with mode 0700.
    tokenizer      name of the token counter that a call uses when it names none.
    embedder       `builtin` for the embedding that clew ships, or the folder of one in Model2Vec's form; "" for none.
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


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, and what of it could not be used.

    settings  the values in force; the default wherever the value chosen makes no sense.
    warnings  names in config.toml that are no settings: passed over. One sentence each.
    errors    values that make no sense, and a config.toml that cannot be read.
    """

    settings: Settings
    warnings: tuple[str, ...] = ()
    errors: tuple[BadSetting, ...] = ()


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the data folder, whatever stands in its config.toml."""
    env = os.environ if environ is None else environ
    return Path(env.get("CLEW_HOME") or platformdirs.user_data_dir("clew")).expanduser()


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force. Names that are not known are passed over. Raises BadSetting for a value that makes no sense."""
    chosen = choose(environ)
    if chosen.errors:
        raise chosen.errors[0]
    return chosen.settings


def choose(environ: Mapping[str, str] | None = None) -> Chosen:
    """Return the settings in force together with what could not be used of config.toml and the environment. Never raises."""
    env = os.environ if environ is None else environ
    settings = Settings(home(env))
    names = {field.name for field in fields(Settings)} - {"home"}
    warnings: list[str] = []
    errors: list[BadSetting] = []
    config = settings.home / CONFIG
    values: dict[str, Any] = {}
    try:
        if config.is_file():
            values = tomllib.loads(config.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        errors.append(BadSetting(str(config), "the file", str(error), "TOML"))
    except OSError as error:
        errors.append(BadSetting(str(config), "the file", error.strerror or str(error), "readable"))
    known: dict[str, Any] = {}
    for name, value in values.items():
        if name in names:
            known[name] = value
        elif "key" in name.lower():  # never repeat it: errors are pasted into reports
            wanted = "kept in a file: a key stands in the environment alone, as CLEW_COMPRESS_KEY"
            errors.append(BadSetting(str(config), name, "…", wanted))
        else:
            warnings.append(_unknown(config, name, names))
    settings = _with(settings, str(config), known, errors)
    of_environment = {name: env[key] for name in sorted(names) if (key := f"CLEW_{name.upper()}") in env}
    return Chosen(_with(settings, "environment", of_environment, errors), tuple(warnings), tuple(errors))


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


def client_certificates(environ: Mapping[str, str] | None = None) -> str:
    """Return the file of further certificates that Claude Code trusts by Node's own variable, "" where that is not set."""
    env = os.environ if environ is None else environ
    return env.get("NODE_EXTRA_CA_CERTS", "").strip()


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


def _unknown(config: Path, name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), 1, 0.5)
    meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(names))}"
    return f"{config}: {name} is not a setting of this release, and was passed over; {meant}"


def _no_text(name: str, value: object) -> str:
    """What a setting that is a text should have been, "" where it is that."""
    if not isinstance(value, str):
        return "a text in quotes"
    if name == "tokenizer":
        from clew.text.tokens import FAMILIES, family_of  # lazy: only where one was chosen; it imports numpy

        try:
            family_of(value)
        except UnknownTokenizer:
            return f"one of {', '.join(FAMILIES)}, claude, or a model's full name"
    if name == "embedder" and value not in {"", "builtin"} and not Path(value).expanduser().is_dir():
        return "builtin, or the folder of a model"
    if name == "gateway_upstream" and not value.startswith(("http://", "https://")):
        return "an address such as https://api.anthropic.com"
    return ""


def _with(settings: Settings, where: str, values: Mapping[str, Any], errors: list[BadSetting]) -> Settings:
    """The settings with these values of known names. One that makes no sense is left out, and its error added to `errors`."""
    for name, value in values.items():
        if name in TEXTS:
            expected = _no_text(name, value)
            if expected:
                errors.append(BadSetting(where, name, value, expected))
                continue
            chosen = str(value)
            settings = replace(settings, **{name: "" if name in MAY_BE_OFF and chosen == "off" else chosen})
            continue
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            errors.append(BadSetting(where, name, value, "a whole number"))
            continue
        if number < 0:
            errors.append(BadSetting(where, name, value, "zero or more"))
            continue
        settings = replace(settings, **{name: number})
    return settings
