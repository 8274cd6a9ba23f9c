"""Read the settings. The only reader of the environment and of configuration files.

A value comes from the command line, else from the environment (`CLEW_…`), else from `config.toml` in the data folder, else from
the default here. An unknown name only gives a warning, so that a file written for another release stops nothing; an invalid
value of a known name is an error for commands, while the daemon uses the default.
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
from clew.records import make_id

DATABASE_NAME = "clew.db"
CONFIG_NAME = "config.toml"
SERVER_CACHE_NAME = "server-indexes"
TEXT_SETTINGS = frozenset({"store", "tenant", "tokenizer", "embedder", "model", "model_price", "gateway_upstream"})
CLEARABLE_SETTINGS = frozenset({"model"})
RENAMED_SETTINGS = {"compress_timeout_s": "model_timeout_s", "compress_price": "model_price"}  # names of earlier releases, which still work
_ENDPOINT, _ENDPOINT_MODEL = "compress_endpoint", "compress_model"  # likewise; together they are `model`


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all settings.

    data_dir       folder of the database; made with mode 0700.
    store          address of a PostgreSQL database, postgresql://user@host/database; "" for the file in `data_dir`.
    tenant         whose rows of that database are read and written.
    tokenizer      name of the token counter that a call uses when it names none.
    embedder       folder of an embedding in Model2Vec's form; "" for none.
    budget_tokens  of a packet when a call names none.
    jobs           processes that read files; 0 for one per core.
    folded_after_days, archived_after_days  `forget` moves records that nobody retrieved for so long.
    forget_seconds   of one pass of forgetting that the daemon makes when idle; 0 for none.
    keep_days        sessions whose last line is older are purged; 0 keeps all.
    keep_megabytes   of transcripts of one repository's sessions; the oldest beyond are purged; 0 keeps all.
    model           path or URL of the model that works offline (`clew.enrich.models.naming`); "" or "off" for none.
    model_timeout_s  of one request to it.
    model_price     dollars per million tokens of input and of output, such as "1/5"; "" when unknown.
    model_idle_s    the daemon has it do queued work once nobody asked for so long; 0 for never.
    model_work_s, model_work_tokens  of one such time without a request, at most.
    model_states_mb  of a self-hosted model's stored states, all together (`clew.enrich.models.states`); 0 stores none.
    core_functions  functions of a repository that get edges by words and, where a model is named, by what it thinks; 0 for none.
    compress_chunk_tokens  of a session in one request.
    serve_idle_s     the daemon ends after so long without a request.
    gateway_upstream  base URL of the API that the gateway forwards to.
    prompt_budget_tokens   what is added to a prompt, at most; 0 adds nothing.
    compact_budget_tokens  of the window after a compaction inside the client.
    guard_lines    files told before a commit, at most, that usually change with the edited ones; 0 tells nothing.
    """

    data_dir: Path
    store: str = ""
    tenant: str = "local"
    tokenizer: str = "claude"
    embedder: str = ""
    budget_tokens: int = 8192
    jobs: int = 0
    folded_after_days: int = 30
    archived_after_days: int = 180
    forget_seconds: int = 2
    keep_days: int = 0
    keep_megabytes: int = 0
    model: str = ""
    model_timeout_s: int = 600
    model_price: str = ""
    model_idle_s: int = 300
    model_work_s: int = 3600
    model_work_tokens: int = 500_000
    model_states_mb: int = 2000
    core_functions: int = 0
    compress_chunk_tokens: int = 6000
    serve_idle_s: int = 1800
    gateway_upstream: str = "https://api.anthropic.com"
    prompt_budget_tokens: int = 1500
    compact_budget_tokens: int = 16_000
    guard_lines: int = 3

    @property
    def database_path(self) -> Path:
        """Path of the database file, also where a server is used instead."""
        return self.data_dir / DATABASE_NAME

    @property
    def server_cache(self) -> Path:
        """Folder of what this machine keeps of a server's search indexes."""
        return self.data_dir / SERVER_CACHE_NAME


class BadSetting(UsageError):
    """Raised where a setting has an invalid value; `where` is the file or "environment"."""

    def __init__(self, where: str, name: str, value: object, expected: str) -> None:
        self.where, self.name, self.value = where, name, value
        super().__init__(f"{where}: {name} = {value!r} is not {expected}\nhint: correct it, or take it out for the default")


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with the warnings and errors of reading them.

    settings  the default where the value read is invalid.
    warnings  one sentence for each name of an earlier release, and for each unknown name in config.toml, which is ignored.
    errors    invalid values, and a config.toml that cannot be read.
    """

    settings: Settings
    warnings: tuple[str, ...] = ()
    errors: tuple[BadSetting, ...] = ()


def data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of clew's data: `CLEW_HOME`, else the user's data folder of the platform."""
    env = os.environ if environ is None else environ
    return Path(env.get("CLEW_HOME") or platformdirs.user_data_dir("clew")).expanduser()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from the environment and config.toml. Unknown names are ignored. Raises BadSetting for an invalid value."""
    loaded = load_settings_leniently(environ)
    if loaded.errors:
        raise loaded.errors[0]
    return loaded.settings


def load_settings_leniently(environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """Return the settings with the warnings and errors of reading config.toml and the environment. Never raises."""
    env = os.environ if environ is None else environ
    settings = Settings(data_dir(env))
    names = {field.name for field in fields(Settings)} - {"data_dir"}
    warnings: list[str] = []
    errors: list[BadSetting] = []
    config = settings.data_dir / CONFIG_NAME
    values: dict[str, Any] = {}
    try:
        if config.is_file():
            values = tomllib.loads(config.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        errors.append(BadSetting(str(config), "the file", str(error), "TOML"))
    except OSError as error:
        errors.append(BadSetting(str(config), "the file", error.strerror or str(error), "readable"))
    old_names = {*RENAMED_SETTINGS, _ENDPOINT, _ENDPOINT_MODEL}
    of_environment: dict[str, Any] = {name: env[key] for name in sorted(names | old_names) if (key := f"CLEW_{name.upper()}") in env}
    if (model := _old_model({**values, **of_environment}, warnings)) and "model" not in {*values, *of_environment}:
        values["model"] = model
    values = _with_present_names(values, str(config), warnings)
    of_environment = _with_present_names(of_environment, "environment", warnings)
    known: dict[str, Any] = {}
    for name, value in values.items():
        if name in names:
            known[name] = value
        elif "key" in name.lower():  # never repeat it: errors are pasted into reports
            wanted = "kept in a file: a key stands in the environment alone, as CLEW_MODEL_KEY"
            errors.append(BadSetting(str(config), name, "…", wanted))
        else:
            warnings.append(_unknown(config, name, names))
    settings = _with(settings, str(config), known, errors)
    return LoadedSettings(_with(settings, "environment", of_environment, errors), tuple(warnings), tuple(errors))


def claude_code_dir() -> Path:
    """Return the folder of Claude Code's settings and transcripts: `CLAUDE_CONFIG_DIR`, else `~/.claude`."""
    return Path(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser()


def claude_code_output_dirs(transcript: str) -> tuple[Path, ...]:
    """Return the folders in which Claude Code stores tool outputs that it truncated: that of the transcript, and its temporary one."""
    temporary = os.environ.get("CLAUDE_CODE_TMPDIR", "")
    return (*((Path(transcript).parent,) if transcript else ()), *((Path(temporary),) if temporary else ()))


def claude_code_base_url() -> str:
    """Return the base URL of the API that Claude Code calls (`ANTHROPIC_BASE_URL`), "" where it is not set."""
    return os.environ.get("ANTHROPIC_BASE_URL", "").strip()


def extra_ca_file() -> str:
    """Return the path of the file with extra CA certificates that Claude Code trusts (`NODE_EXTRA_CA_CERTS`), "" where it is not set."""
    return os.environ.get("NODE_EXTRA_CA_CERTS", "").strip()


# How a model at Anthropic's own address is named; a longer host name is another's.
ANTHROPIC_NAMES = ("anthropic#", "https://api.anthropic.com#", "https://api.anthropic.com/")


def model_api_key(model: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the API key for a model's server from the environment, "" where there is none; it is never stored.

    `CLEW_MODEL_KEY`, else `CLEW_COMPRESS_KEY` of earlier releases, else, for Anthropic's own address, `ANTHROPIC_API_KEY`.
    """
    env = os.environ if environ is None else environ
    of_anthropic = env.get("ANTHROPIC_API_KEY", "") if model.startswith(ANTHROPIC_NAMES) else ""
    return (env.get("CLEW_MODEL_KEY") or env.get("CLEW_COMPRESS_KEY") or of_anthropic).strip()


def is_traceback_enabled() -> bool:
    """Return whether errors are to be printed with their stack trace (`CLEW_TRACEBACK=1`). Works when the settings are broken."""
    return os.environ.get("CLEW_TRACEBACK", "") not in ("", "0")


def find_workspace(path: Path) -> tuple[str, Path]:
    """Return the key (16 characters) and the root of the workspace that holds `path`: its git work tree, else the folder itself."""
    root = _find_tree(path)
    return make_workspace_key(root), root


def make_workspace_key(folder: Path, *more: str) -> str:
    """Return the key of the workspace of a folder; `more` tells it from an earlier one that has the folder's key."""
    return make_id("workspace", str(folder), *more)[:16]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, or a folder without one.

    tree      root of the work tree that was asked about.
    main      root of its main work tree, of which the others are made; of a bare repository its own folder.
    identity  tells it from others, also when its folder is moved; "" where nothing does.
    """

    tree: Path
    main: Path
    identity: str = ""


def find_repository(path: Path) -> Repository:
    """Return the repository that holds `path`, also where a folder below it is gone; without one the folder itself, and no identity."""
    tree = _find_tree(path)
    git = tree / ".git"
    common, main = git, tree
    try:
        if git.is_file():
            common = Path(os.path.realpath(tree / git.read_text().removeprefix("gitdir:").strip()))
            if (common / "commondir").is_file():  # a linked work tree
                common = Path(os.path.realpath(common / (common / "commondir").read_text().strip()))
                main = common.parent if common.name == ".git" else common
        # Git writes this file once, and it keeps its time and its folder the number when they are moved.
        made, folder = (common / "description").stat(), common.stat()
    except (OSError, ValueError):
        return Repository(tree, main)
    return Repository(tree, main, f"{made.st_mtime_ns}-{folder.st_ino}")


def _find_tree(path: Path) -> Path:
    start = Path(os.path.realpath(path))  # which stops where links lead in a circle
    if not start.is_dir():
        start = start.parent
    return next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)


def _with_present_names(values: Mapping[str, Any], where: str, warnings: list[str]) -> dict[str, Any]:
    """Return settings under the names of this release; one that stands there under both keeps the value of the new name."""
    kept = {name: value for name, value in values.items() if name not in {*RENAMED_SETTINGS, _ENDPOINT, _ENDPOINT_MODEL}}
    for old, new in RENAMED_SETTINGS.items():
        if old in values:
            kept.setdefault(new, values[old])
            warnings.append(f"{where}: {old} is called {new} now")
    if kept.get("embedder") == "builtin":
        del kept["embedder"]
        warnings.append(f"{where}: embedder = builtin was passed over; no embedding ships any more, and the line can go")
    return kept


def _old_model(values: Mapping[str, Any], warnings: list[str]) -> str:
    """Return what the two settings of earlier releases say as one text for `model`, with a warning; "" where they name none."""
    if _ENDPOINT not in values and _ENDPOINT_MODEL not in values:
        return ""
    endpoint, named = str(values.get(_ENDPOINT, "")), str(values.get(_ENDPOINT_MODEL, ""))
    model = "" if endpoint in {"", "off"} else f"{endpoint}#{named}" if named else endpoint
    shown = f'model = "{model}" says the same' if model else "they name none, and can go"
    warnings.append(f"{_ENDPOINT} and {_ENDPOINT_MODEL} are the one setting `model` now; {shown}")
    return model


def _unknown(config: Path, name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), 1, 0.5)
    meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(names))}"
    return f"{config}: {name} is not a setting of this release, and was passed over; {meant}"


def _no_text(name: str, value: object) -> str:
    """What a setting that is a text should have been, "" where it is that."""
    if not isinstance(value, str):
        return "a text in quotes"
    if name == "tokenizer":
        from clew.text.tokens import TOKENIZER_FAMILIES, resolve_family  # lazy: only where one was chosen; it imports numpy

        try:
            resolve_family(value)
        except UnknownTokenizer:
            return f"one of {', '.join(TOKENIZER_FAMILIES)}, claude, or a model's full name"
    if name == "embedder" and value and not Path(value).expanduser().is_dir():
        return "the folder of a model"
    if name == "store" and value and not value.startswith(("postgresql://", "postgres://")):
        return "an address such as postgresql://user@host:5432/database"
    if name == "tenant" and not (0 < len(value) <= 200 and value.isprintable()):
        return "a name of 1 to 200 characters"
    if name == "gateway_upstream" and not value.startswith(("http://", "https://")):
        return "an address such as https://api.anthropic.com"
    return ""


def _with(settings: Settings, where: str, values: Mapping[str, Any], errors: list[BadSetting]) -> Settings:
    """The settings with these values of known names. One that makes no sense is left out, and its error added to `errors`."""
    for name, value in values.items():
        if name in TEXT_SETTINGS:
            expected = _no_text(name, value)
            if expected:
                errors.append(BadSetting(where, name, "…" if name == "store" else value, expected))  # it may hold a password
                continue
            chosen = str(value)
            settings = replace(settings, **{name: "" if name in CLEARABLE_SETTINGS and chosen == "off" else chosen})
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
