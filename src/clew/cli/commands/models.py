"""`clew models`: say which model works offline, how fast it is on this machine, and whether it fits; measure it when asked."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import load_settings
from clew.cli.options import format_examples, json_option, quiet_option

if TYPE_CHECKING:
    from clew.enrich.models import ModelDescription

_EXAMPLE = """
clew models --json
CLEW_MODEL=~/models/qwen2.5-coder-1.5b-q4_k_m.gguf clew models --measure
"""


@click.command(short_help="Which model works offline, how fast it is here, and whether it fits.", epilog=format_examples(_EXAMPLE))
@click.option("--measure", is_flag=True, help="Time the model first: some seconds to a minute. A file is loaded for it.")
@json_option
@quiet_option
def command(*, measure: bool, is_json: bool, is_quiet: bool) -> None:
    """Describe the model of the setting `model`: a GGUF file, a server, or none. Nothing is started or sent without --measure.

    The speeds are those of the last measurement on this machine. A file's memory is an estimate until it was measured.
    """
    settings = load_settings()
    from clew.enrich.models import GgufModel, KnownModels, describe_model, measure_model, open_model, parse_model_name
    from clew.errors import NoModel
    from clew.settings import model_api_key

    named = parse_model_name(settings.model)
    if named is None:
        if measure:
            raise NoModel
        output.write_answer(_off(), "off      no model is named: the setting `model`, or CLEW_MODEL, is a path or a URL\n", is_json=is_json)
        return
    known = KnownModels(settings.data_dir)
    timeout_s = max(1, settings.model_timeout_s)
    with closing(open_model(settings.model, folder=settings.data_dir, key=model_api_key(settings.model), timeout_s=timeout_s)) as model:
        if measure:
            if not is_quiet:
                output.write_message(f"clew: measuring {model.place}")
            measure_model(model, known)
        described = describe_model(model, named.kind, known)
        if isinstance(model, GgufModel) and not model.header.is_chat:
            output.write_message("clew: this file has no chat template: it continues texts, and answers no questions")
    output.write_answer(asdict(described), _to_text(described), is_json=is_json)


def _off() -> dict[str, Any]:
    """Return the JSON of no model: the keys of a model's, all empty."""
    keys = ("sha256", "context", "prefill_tokens_per_s", "generate_tokens_per_s", "memory_mb", "fits")
    return {"name": "", "kind": "off", "place": "", **dict.fromkeys(keys)}


def _to_text(model: ModelDescription) -> str:
    """Return the description in a few lines."""
    lines = [f"model    {model.name} ({model.kind}), {model.place}"]
    if model.sha256:
        lines.append(f"sha256   {model.sha256}")
    if model.context:
        lines.append(f"context  {model.context:,} tokens")
    if model.prefill_tokens_per_s and model.generate_tokens_per_s:
        lines.append(f"speed    {model.prefill_tokens_per_s:,} tokens/s read, {model.generate_tokens_per_s:,} written")
    else:
        lines.append("speed    not measured yet: `clew models --measure`")
    if model.memory_mb:
        lines.append(f"memory   {model.memory_mb:,} MB, {'which are free' if model.fits else 'more than is free now'}")
    return "".join(output.escape_control(line) + "\n" for line in lines)
