"""`clew models state`: store what a self-hosted model holds after it has read a prefix, and let it go on from there."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from clew.cli import output
from clew.cli.open import load_settings
from clew.cli.options import format_examples, json_option
from clew.records.wording import format_count

if TYPE_CHECKING:
    from clew.enrich.models.llama_server import LlamaServer
    from clew.enrich.models.states import ModelIdentity, ModelStates, StoredState


@click.group("state", short_help="Store what a self-hosted model holds after a prefix, and go on from there.")
def state() -> None:
    """Store the state of the model after it has read a prefix, so that the prefix is evaluated once.

    For a GGUF file, and for a llama.cpp server on this machine that was started with --slot-save-path FOLDER; `list` names the folder.
    """


@state.command(epilog=format_examples("clew map | clew models state save -"))
@click.argument("file", type=click.File("r", encoding="utf-8"), metavar="FILE")
@json_option
def save(file: TextIO, *, is_json: bool) -> None:
    """Evaluate FILE (- for standard input) as the beginning of a conversation, and store the state up to the last whole batch of tokens.

    It is stored where the model goes on from it as from a fresh evaluation, 24 tokens alike; else this ends with an error.
    """
    from clew.enrich.models.prefix import find_prefix

    with _open_state_server() as opened:
        chat = {"messages": [{"role": "system", "content": file.read()}, {"role": "user", "content": ""}]}
        tokens = find_prefix(opened.server, chat)
        stored = opened.states.store(opened.server, opened.identity, tokens, model=opened.model, slot=0, is_checked=True)
    output.write_answer(_state_to_json(stored), _state_to_text(stored), is_json=is_json)


@state.command(epilog=format_examples('clew models state restore 3fa9c1 --prompt "Which file parses the header?"'))
@click.argument("id", metavar="ID")
@click.option("--prompt", metavar="TEXT", help="Let the model answer TEXT from there. Default: nothing is asked.")
@json_option
def restore(id: str, *, prompt: str | None, is_json: bool) -> None:  # noqa: A002  the argument's name
    """Put the state whose id begins with ID into the model. One that is archived is evaluated again, and stored."""
    from clew.enrich.models.states import ANSWER_TOKENS_MAX, render_rest

    with _open_state_server() as opened:
        found = [each for each in opened.states.states() if each.id.startswith(id)]
        if len(found) != 1:
            raise click.UsageError(f"{len(found)} states have an id that begins with {id!r}; `clew models state list` shows them")
        if found[0].identity != opened.identity:
            raise click.UsageError(f"this state is of {found[0].model}, {found[0].identity.build}, in another context or build than now")
        text, started = None, time.perf_counter()
        is_restored = opened.states.load(opened.server, found[0], slot=0)
        if not is_restored:
            tokens = [*found[0].tokens, *found[0].tail]
            opened.states.store(opened.server, opened.identity, tokens, model=opened.model, slot=0, is_checked=True)
        seconds = time.perf_counter() - started
        told = {"id": found[0].id, "is_restored": is_restored, "tokens": len(found[0].tokens), "seconds": round(seconds, 4)}
        if prompt is not None:
            tokens = [*found[0].tokens, *found[0].tail, *render_rest(opened.server, prompt)]
            text = opened.server.complete(tokens, slot=0, tokens_max=ANSWER_TOKENS_MAX, is_fresh=False).text
    how = "restored" if is_restored else "evaluated"
    line = f"{how} {len(found[0].tokens):,} tokens in {seconds:.2f} s (evaluated they took {found[0].prefill_s:.1f} s)\n"
    answer = "" if text is None else output.escape_control(text.strip()) + "\n"
    output.write_answer({**told, "text": text}, line + answer, is_json=is_json)


@state.command("list", epilog=format_examples("clew models state list --json"))
@json_option
def list_states(*, is_json: bool) -> None:
    """List the stored states, the last used first, and the folder that they are in, which is made."""
    from clew.enrich.models.states import ModelStates

    settings = load_settings()
    kept = ModelStates(settings.data_dir, settings.model_states_mb * 10**6)
    kept.make_folder()
    states = kept.states()
    size = sum(each.size for each in states)
    told = {
        "folder": str(kept.folder),
        "size": size,
        "size_max": settings.model_states_mb * 10**6,
        "states": [_state_to_json(each) for each in states],
    }
    total = f"{format_count(len(states), 'state')}, {size / 1e6:,.1f} of {settings.model_states_mb:,} MB, in {kept.folder}\n"
    output.write_answer(told, "".join(map(_state_to_text, states)) + output.escape_control(total), is_json=is_json)


@dataclass(frozen=True, slots=True)
class _StateServer:
    """The server whose states are stored, and what tells its model's states from others'."""

    server: LlamaServer
    states: ModelStates
    identity: ModelIdentity
    model: str


@contextmanager
def _open_state_server() -> Generator[_StateServer]:
    """Start the model of the settings with a folder for states, or reach its server on this machine."""
    from clew.enrich.models import GgufModel, KnownModels, open_model, parse_model_name
    from clew.enrich.models.gguf import STATE_BATCH
    from clew.enrich.models.llama_server import LlamaServer, is_local
    from clew.enrich.models.prefix import SERVER_BATCH, identify_model
    from clew.enrich.models.states import ModelStates
    from clew.errors import NoModel, StateNotKept
    from clew.settings import model_api_key

    settings = load_settings()
    named = parse_model_name(settings.model)
    if named is None:
        raise NoModel
    known, states = KnownModels(settings.data_dir), ModelStates(settings.data_dir, settings.model_states_mb * 10**6)
    timeout_s, key = max(1, settings.model_timeout_s), model_api_key(settings.model)
    if named.kind == "gguf":
        with closing(open_model(settings.model, folder=settings.data_dir, timeout_s=timeout_s, states=states.folder)) as model:
            assert isinstance(model, GgufModel)
            server = model.open_server()
            identity = identify_model(server.props(), known, batch=STATE_BATCH, build=model.build)
            yield _StateServer(server, states, identity, model.name)
        return
    if named.kind != "openai" or not is_local(named.target):
        raise StateNotKept(
            named.target, "it is no server on this machine", "states are for models that you host: a GGUF file, a llama.cpp server"
        )
    server = LlamaServer(named.target, key=key, timeout_s=timeout_s)
    props = server.props()
    yield _StateServer(server, states, identify_model(props, known, batch=SERVER_BATCH), Path(props.model_path).name)


def _state_to_json(state: StoredState) -> dict[str, Any]:
    """Return a state as JSON, without its token ids."""
    return {
        "id": state.id, "model": state.model, "tier": state.tier, "tokens": len(state.tokens), "size": state.size,
        "is_checked": state.is_checked, "prefill_s": state.prefill_s, "build": state.identity.build, "sha256": state.identity.sha256,
        "quantisation": state.identity.quantisation, "context": state.identity.context, "used_at_ns": state.used_at_ns,
    }  # fmt: skip


def _state_to_text(state: StoredState) -> str:
    """Return a state in a line."""
    each = f", {state.size / len(state.tokens) / 1000:.1f} kB each" if state.size else ""
    line = f"{state.id[:12]}  {state.tier:<8}  {len(state.tokens):,} tokens{each}, evaluated in {state.prefill_s:.1f} s, {state.model}"
    return output.escape_control(line) + "\n"
