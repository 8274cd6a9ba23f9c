"""`clew compress`: have a model choose which lines of sessions to keep, which is stored beside the originals."""

from __future__ import annotations

from contextlib import closing
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import check_folder, open_engine
from clew.cli.options import TokenCount, format_examples, json_option, quiet_option, repo_option
from clew.cli.progress import show_progress
from clew.records.wording import format_count

if TYPE_CHECKING:
    from clew.enrich.compress import CompressionReport
    from clew.enrich.models import Measured

_CHUNK_TOKENS_MIN = 500  # below it a part's instructions are longer than the part

_EXAMPLE = """
clew compress 5f0c…-session-id --model http://localhost:11434/v1#qwen3:8b
clew compress ~/.claude/projects/-home-me-src-app/5f0c….jsonl --model anthropic#NAME --dry-run
"""


@click.command(short_help="Have a model choose which lines of sessions to keep, offline. Off by default.", epilog=format_examples(_EXAMPLE))
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@click.option("--model", metavar="MODEL", help="A GGUF file, a server's URL#NAME, or anthropic#NAME. Default: the setting.")
@click.option("--endpoint", metavar="URL", help="Of earlier releases: the URL alone, and its NAME as --model.")
@click.option("--chunk-tokens", type=TokenCount(), metavar="N", help="Tokens of a session in one request. Default: the setting, 6,000.")
@click.option("--seconds", type=click.FloatRange(min=0), metavar="N", help="Begin no request after so many seconds. Default: no limit.")
@click.option(
    "--tokens", type=TokenCount(), metavar="N", help="Begin no request after so many tokens sent and answered. Default: no limit."
)
@click.option("--later", "is_later", is_flag=True, help="Only queue it: `clew models work` or the daemon does it when the machine is idle.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@repo_option
@json_option
@quiet_option
def command(
    sessions: tuple[str, ...],
    *,
    model: str | None,
    endpoint: str | None,
    chunk_tokens: int | None,
    seconds: float | None,
    tokens: int | None,
    is_later: bool,
    dry_run: bool,
    repo: Path,
    is_json: bool,
    is_quiet: bool,
) -> None:
    """Send each SESSION (a transcript, or the id of an ingested session) in parts to a model, and store which lines it would keep.

    It names lines by their numbers, and may say one sentence on lines that it would drop. That is stored beside the originals, which
    stay as they are: `clew compact` may show such a sentence where there is no space for its lines. A sentence with a name or a number
    that its lines do not hold is dropped. Parts that were answered before are not sent again. What looks like a secret is masked; the
    rest of the session leaves this machine if the server is another one. Keys are read from the environment only: CLEW_MODEL_KEY, or
    ANTHROPIC_API_KEY.
    """
    from clew.enrich.models import KnownModels, open_model
    from clew.errors import NoModel
    from clew.settings import model_api_key

    check_folder(repo)
    with open_engine() as engine, show_progress(is_quiet=is_quiet or is_json) as show:
        settings = engine.settings
        named = settings.model if model is None and endpoint is None else model or ""
        if endpoint is not None:
            named = "off" if endpoint in ("", "off") else f"{endpoint}#{named}"
            output.write_message(f"clew: warning: --endpoint and --model are one option now: --model {named}")
        part_tokens = chunk_tokens or settings.compress_chunk_tokens
        if part_tokens < _CHUNK_TOKENS_MIN:
            raise click.UsageError(f"parts of {part_tokens} tokens are too small to be worth a request; {_CHUNK_TOKENS_MIN} is the least")
        with closing(
            open_model(named, folder=settings.data_dir, key=model_api_key(named), timeout_s=max(1, settings.model_timeout_s))
        ) as opened:
            if opened.name == "off" and not dry_run:
                raise NoModel
            is_queued = named == settings.model
            if is_later and (dry_run or not is_queued):
                raise click.UsageError("--later goes without --dry-run, and with the model of the setting `model`, which does it then")
            done = engine.compress(
                repo,
                sessions,
                opened,
                tokenizer=settings.tokenizer,
                chunk_tokens=part_tokens,
                seconds=0 if is_later else inf if seconds is None else seconds,
                tokens=inf if tokens is None else tokens,
                dry_run=dry_run,
                is_queued=is_queued,
                progress=show,
            )
            measured = KnownModels(settings.data_dir).measured(opened.name)
        place, price = opened.place, _parse_price(settings.model_price)
        minutes = _estimate_minutes(measured, done) if dry_run else None
    if is_json:
        output.write_json({**_to_json(done, place=place, is_dry=dry_run, price=price), "minutes": minutes})
        return
    output.write_text(_to_dry_text(done, place, price, minutes) if dry_run else _to_text(done, price))
    for session, number, reason in done.refused:
        output.write_message(f"clew: {session}, part {number}: {reason}")


def _parse_price(setting: str) -> tuple[float, float] | None:
    """Parse "1/5", dollars per million tokens sent and answered; None for "". Raises BadSetting for anything else."""
    from clew.settings import BadSetting

    if not setting:
        return None
    try:
        sent, answered = (float(part) for part in setting.split("/"))
    except ValueError:
        raise BadSetting("settings", "model_price", setting, "two numbers, such as 1/5") from None
    if not (0 <= sent < float("inf") and 0 <= answered < float("inf")):
        raise BadSetting("settings", "model_price", setting, "two numbers of 0 or more")
    return sent, answered


def _compute_cost(price: tuple[float, float] | None, sent: int, answered: int) -> float | None:
    """Return the cost of tokens in dollars, None if the price is unknown."""
    return (sent * price[0] + answered * price[1]) / 1e6 if price else None


def _estimate_minutes(measured: Measured, done: CompressionReport) -> float | None:
    """Return how long the model takes for what would be sent, at the speeds that were measured; None where they were not."""
    if not measured.prefill_tokens_per_s or not measured.generate_tokens_per_s:
        return None
    seconds = done.tokens_sent / measured.prefill_tokens_per_s + done.tokens_answered / measured.generate_tokens_per_s
    return round(seconds / 60, 1)


def _to_json(done: CompressionReport, *, place: str, is_dry: bool, price: tuple[float, float] | None) -> dict[str, Any]:
    """Return what a run did or would do as JSON; its only time is `seconds`."""
    sent, answered = (done.tokens_sent, done.tokens_answered) if is_dry else (done.billed_in, done.billed_out)
    return {
        "sent": not is_dry,
        "place": place,
        "sessions": done.sessions,
        "parts": done.parts,
        "known": done.known,
        "asked": done.asked,
        "lines": done.lines,
        "sentences": done.said,
        "dropped": {"invented": done.invented},
        "masked": done.masked,
        "tokens": {"before": done.tokens_before, "after": done.tokens_after, "sent": done.tokens_sent, "answered": done.tokens_answered},
        "billed": {"sent": done.billed_in, "answered": done.billed_out},
        "dollars": _compute_cost(price, sent, answered),
        "refused": [{"session": session, "part": number, "reason": reason} for session, number, reason in done.refused],
        "left": done.left,
        "seconds": round(done.seconds, 3),
    }


def _to_text(done: CompressionReport, price: tuple[float, float] | None) -> str:
    """Return what a run did in a few lines."""
    lines = [f"{_parts(done)}: {done.asked:,} asked for, {done.known:,} known already, in {done.seconds:.1f} s"]
    if done.left:
        lines.append(f"{format_count(done.left, 'part')} left: the same call goes on there, and so does `clew models work` if queued")
    if done.tokens_before:
        share = done.tokens_after / done.tokens_before * 100
        lines.append(f"of {done.tokens_before:,} tokens {done.tokens_after:,} ({share:.1f} %) are kept or said")
    if done.asked:
        lines.append(
            f"{format_count(done.lines, 'line')} to keep, {format_count(done.said, 'sentence')} on others; "
            f"dropped: {format_count(done.invented, 'claim')} about what its lines do not hold"
        )
    if done.masked:
        lines.append(f"masked before they were sent: {format_count(done.masked, 'secret')}")
    if done.billed_in or done.billed_out:
        cost = _compute_cost(price, done.billed_in, done.billed_out)
        shown = f": ${cost:.4f}" if cost is not None else ""
        lines.append(f"the server counted {done.billed_in:,} tokens sent, {done.billed_out:,} answered{shown}")
    return "".join(output.escape_control(line) + "\n" for line in lines)


def _to_dry_text(done: CompressionReport, place: str, price: tuple[float, float] | None, minutes: float | None) -> str:
    """Return what a run would do in a few lines."""
    cost = _compute_cost(price, done.tokens_sent, done.tokens_answered)
    shown = f"about ${cost:.4f}" if cost is not None else "the setting `model_price` would say what that costs"
    lines = [
        f"{_parts(done)}: {done.asked:,} would be sent to {place}, {done.known:,} known already",
        f"about {done.tokens_sent:,} tokens sent, {done.tokens_answered:,} answered: {shown}",
        f"about {minutes:,} minutes at the speeds measured here" if minutes is not None else "how long that takes: `clew models --measure`",
        f"masked: {format_count(done.masked, 'secret')}; nothing was sent",
    ]
    return "".join(output.escape_control(line) + "\n" for line in lines)


def _parts(done: CompressionReport) -> str:
    return f"{format_count(done.parts, 'part')} of {format_count(done.sessions, 'session')}"
