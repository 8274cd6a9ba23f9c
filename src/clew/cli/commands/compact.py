"""`clew compact`: print the packet that replaces a session's conversation at a compaction."""

from __future__ import annotations

from pathlib import Path

import click

from clew.cli.open import check_folder, open_engine
from clew.cli.options import DisplayOptions, KeepLevel, budget_option, display_options, format_examples, repo_option, tokenizer_option
from clew.cli.packets import show_packet
from clew.errors import NotCalibrated
from clew.settings import find_workspace

_EXAMPLE = """
clew compact ~/.claude/projects/-home-me-src-app/5f0c….jsonl --budget 8000
clew compact 5f0c… --keep 98%
"""


@click.command(
    short_help="What of a session should stay in the window.",
    epilog=format_examples(_EXAMPLE),
)
@click.argument("session")
@click.option("--at", metavar="RECORD", help="Cut before this record: its uuid or its 0-based line. Default: at the end.")
@click.option("--earlier", "has_earlier", is_flag=True, help="Add turns of other sessions that are relevant for the last request.")
@budget_option
@click.option(
    "--keep",
    "level",
    type=KeepLevel(),
    metavar="LEVEL",
    help="In place of a budget: as large as it takes to keep this share (98%) of the lines and names that will be used later, "
    "as `clew eval --keep` measured on your own sessions.",
)
@tokenizer_option
@repo_option
@display_options
def command(
    session: str,
    *,
    at: str | None,
    has_earlier: bool,
    budget_tokens: int | None,
    level: float | None,
    tokenizer: str | None,
    repo: Path,
    display: DisplayOptions,
) -> None:
    """Compact SESSION (a transcript, or the id of an ingested session) into one packet that fits the token budget.

    The request, what is still true and what was just done come first; folded text carries a handle. One of --budget and
    --keep is needed; with both, the budget sizes what is said before the lines.
    """
    if budget_tokens is None and level is None:
        raise click.UsageError("Missing option '--budget', or '--keep'.")
    check_folder(repo)
    key, root = find_workspace(repo)
    with open_engine() as engine:
        rate_min = _find_threshold(engine.settings.data_dir, level) if level is not None else None
        packet = engine.compact(
            session,
            at=at,
            budget_tokens=engine.settings.budget_tokens if budget_tokens is None else budget_tokens,
            tokenizer=tokenizer or engine.settings.tokenizer,
            path=repo,
            with_earlier=has_earlier,
            rate_min=rate_min,
        )
    show_packet(packet, workspace=key, root=root, home=engine.settings.data_dir, display=display)


def _find_threshold(folder: Path, level: float) -> float:
    """Return the threshold that keeps a level, from what was measured of the user's sessions. Raises NotCalibrated."""
    from clew.compaction.level import count_needed_cuts  # lazy: most calls name a budget
    from clew.evaluation.keeping import KeepCalibration  # lazy: as above

    calibration = KeepCalibration(folder)
    threshold = calibration.find_threshold(level)
    if threshold is None:
        raise NotCalibrated(level, calibration.cut_count, count_needed_cuts(level))
    return threshold
