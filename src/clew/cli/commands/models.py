"""`clew models`: say which model works offline, how fast it is here and what is queued for it; have it work, and stop it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

import click

from clew.cli import model_states, output
from clew.cli.open import load_settings, open_engine
from clew.cli.options import TokenCount, format_examples, json_option, quiet_option
from clew.cli.progress import show_progress
from clew.records.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clew.enrich.models import Measured, ModelDescription
    from clew.lifecycle.queue import QueuedWork
    from clew.settings import Settings
    from clew.usecases.work import WorkReport

_EXAMPLE = """
clew models --json
CLEW_MODEL=~/models/qwen2.5-coder-1.5b-q4_k_m.gguf clew models --measure
clew models work --seconds 600
clew models stop
clew map | clew models state save -
"""


@click.group(
    invoke_without_command=True,
    short_help="Which model works offline, how fast it is here, and what is queued for it.",
    epilog=format_examples(_EXAMPLE),
)
@click.option("--measure", is_flag=True, help="Time the model first: some seconds to a minute. A file is loaded for it.")
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, *, measure: bool, is_json: bool, is_quiet: bool) -> None:
    """Describe the model of the setting `model` (a GGUF file, a server, or none) and the work that is queued for it.

    Nothing is started or sent without --measure or `work`. The speeds are those of the last measurement on this machine. A file's memory
    is an estimate until it was measured.
    """
    if context.invoked_subcommand is None:
        _describe(measure=measure, is_json=is_json, is_quiet=is_quiet)
    elif measure:
        raise click.UsageError(f"--measure goes without `{context.invoked_subcommand}`")


@command.command("work", short_help="Do queued work now, the most wanted first.")
@click.option("--seconds", type=click.FloatRange(min=0), metavar="N", help="Begin no request after so many seconds. Default: no limit.")
@click.option(
    "--tokens", type=TokenCount(), metavar="N", help="Begin no request after so many tokens sent and answered. Default: no limit."
)
@click.option("--idle", "is_idle", is_flag=True, help="As the daemon does: not while work is stopped, and until standard input ends.")
@json_option
@quiet_option
def work(*, seconds: float | None, tokens: int | None, is_idle: bool, is_json: bool, is_quiet: bool) -> None:
    """Do queued work of all repositories with the model of the setting `model`, the most wanted first."""
    _work(inf if seconds is None else seconds, inf if tokens is None else tokens, is_idle=is_idle, is_json=is_json, is_quiet=is_quiet)


@command.command("stop", short_help="End background work; none begins until the next `work`.")
@json_option
def stop(*, is_json: bool) -> None:
    """End whatever background work is done, and let none begin until the next `work`. What was made stays, and the rest stays queued."""
    _stop(is_json=is_json)


command.add_command(model_states.state)


def _describe(*, measure: bool, is_json: bool, is_quiet: bool) -> None:
    settings = load_settings()
    from clew.enrich.models import GgufModel, KnownModels, Measured, describe_model, measure_model, open_model, parse_model_name
    from clew.errors import NoModel
    from clew.settings import model_api_key
    from clew.usecases.worker import find_worker, is_work_stopped

    named = parse_model_name(settings.model)
    if named is None:
        if measure:
            raise NoModel
        described, measured = None, Measured()
    else:
        known = KnownModels(settings.data_dir)
        timeout_s = max(1, settings.model_timeout_s)
        with closing(open_model(settings.model, folder=settings.data_dir, key=model_api_key(settings.model), timeout_s=timeout_s)) as model:
            if measure:
                if not is_quiet:
                    output.write_message(f"clew: measuring {model.place}")
                measure_model(model, known)
            described, measured = describe_model(model, named.kind, known), known.measured(model.name)
            if isinstance(model, GgufModel) and not model.header.is_chat:
                output.write_message("clew: this file has no chat template: it continues texts, and answers no questions")
    folder = settings.data_dir
    queue = _queue_to_json(_read_queue(settings), measured)
    queue |= {"worker": find_worker(folder) or None, "is_stopped": is_work_stopped(folder)}
    told = asdict(described) if described else _off()
    off = "off      no model is named: the setting `model`, or CLEW_MODEL, is a path or a URL\n"
    output.write_answer({**told, "queue": queue}, (_to_text(described) if described else off) + _queue_to_text(queue), is_json=is_json)


def _read_queue(settings: Settings) -> Sequence[QueuedWork]:
    """Return what is queued; nothing where there is no database yet."""
    if not settings.database_path.is_file():
        return ()
    with open_engine() as engine:
        return engine.describe_queue()


def _queue_to_json(queue: Sequence[QueuedWork], measured: Measured) -> dict[str, Any]:
    """Return the queue with the minutes that it is expected to take; null where the model's speed is not known."""
    kinds = [{**asdict(each), "minutes": _minutes(each, measured)} for each in queue]
    minutes = [_minutes(each, measured) for each in queue]
    known = [each for each in minutes if each is not None]
    return {
        "queued": sum(each.queued + each.claimed for each in queue),
        "minutes": round(sum(known), 1) if len(known) == len(minutes) else None,
        "kinds": kinds,
    }


def _minutes(work: QueuedWork, measured: Measured) -> float | None:
    if not work.queued + work.claimed:
        return 0.0
    if not measured.prefill_tokens_per_s or not measured.generate_tokens_per_s:
        return None
    return round((work.read_tokens / measured.prefill_tokens_per_s + work.write_tokens / measured.generate_tokens_per_s) / 60, 1)


def _queue_to_text(queue: dict[str, Any]) -> str:
    """Return a line for the queue and one for each kind of work in it; nothing where there never was any."""
    if not queue["kinds"]:
        return ""
    long = "how long is not known: `clew models --measure`" if queue["minutes"] is None else f"about {queue['minutes']:,} minutes"
    lines = [f"queued   {format_count(queue['queued'], 'job')}, {long}" if queue["queued"] else "queued   nothing"]
    for each in queue["kinds"]:
        minutes = "" if each["minutes"] is None else f", {each['minutes']:,} minutes"
        failed = f", {each['failed']:,} failed" if each["failed"] else ""
        lines.append(f"  {each['kind']}: {each['queued'] + each['claimed']:,} to do{minutes}; {each['done']:,} done{failed}")
    if queue["worker"]:
        lines.append(f"at work  process {queue['worker']}; `clew models stop` ends it")
    elif queue["is_stopped"]:
        lines.append("stopped  nothing is done unasked until the next `clew models work`")
    return "".join(output.escape_control(line) + "\n" for line in lines)


def _work(seconds: float, tokens: float, *, is_idle: bool, is_json: bool, is_quiet: bool) -> None:
    from clew.enrich.models import open_model
    from clew.errors import NoModel
    from clew.settings import model_api_key
    from clew.usecases.worker import WorkStopped, working

    with open_engine() as engine, show_progress(is_quiet=is_quiet or is_json) as show:
        settings = engine.settings
        if not settings.model:
            raise NoModel
        key, timeout_s = model_api_key(settings.model), max(1, settings.model_timeout_s)
        try:
            with (
                working(settings.data_dir, is_asked=not is_idle, ends_with_input=is_idle),
                closing(open_model(settings.model, folder=settings.data_dir, key=key, timeout_s=timeout_s)) as model,
            ):
                done = engine.work(model, seconds=seconds, tokens=tokens, progress=show)
        except WorkStopped:
            if not is_quiet:
                output.write_message("clew: stopped; what was made stays, and the rest stays queued")
            return
    output.write_answer(
        {
            "done": done.done, "left": done.left, "tokens": done.tokens, "seconds": round(done.seconds, 3),
            "failed": [{"kind": kind, "key": name, "reason": reason} for kind, name, reason in done.failed],
        },
        _work_to_text(done), is_json=is_json,
    )  # fmt: skip


def _work_to_text(done: WorkReport) -> str:
    lines = [f"{format_count(done.done, 'job')} done in {done.seconds:.1f} s, {done.tokens:,} tokens; {done.left:,} left in the queue"]
    lines += [f"{kind} {name}: {reason}" for kind, name, reason in done.failed]
    return "".join(output.escape_control(line) + "\n" for line in lines)


def _stop(*, is_json: bool) -> None:
    from clew.usecases.worker import stop_work

    was_at_work = stop_work(load_settings().data_dir)
    said = "stopped; what was made stays, and the rest stays queued until `clew models work`\n"
    output.write_answer({"was_at_work": was_at_work}, said if was_at_work else f"nothing was at work; {said}", is_json=is_json)


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
