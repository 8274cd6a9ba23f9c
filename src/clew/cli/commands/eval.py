"""`clew eval`: what would have survived a compaction in one's own sessions?"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli import output
from clew.cli.open import folder, own_sessions, settings_in_force
from clew.cli.options import FOLDER, example, json_option, quiet_option, tokenizer_option
from clew.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clew.hindsight.evaluate import Outcome, Plan
    from clew.hindsight.intervals import Difference, Estimate
    from clew.hindsight.report import AtBudget, Report

DEFAULT_ARMS = ("clew", "summary", "recency", "results", "random", "oracle")
LEGEND = {
    "summary": "the client's own summary",
    "recency": "the newest text",
    "results": "all talk and calls, and the newest tool results that fit",
    "bm25": "what agrees most with the last request and answer",
    "random": "pieces at random",
    "hoard": "a bare list of names, which must not pay",
    "oracle": "knows what comes: the most that fits",
}
MEASURES = {
    "files": "needed files, named",
    "verbatim": "edited lines, verbatim",
    "folded": "… one unfold away",
    "terms": "rare names with a line",
    "terms_per_1000": "… per 1,000 tokens",
    "named": "rare names, named",
    "repeats": "repeated looks spared",
    "constraints": "constraints",
    "dead_ends": "dead ends",
}
AGAINST = ("files", "verbatim", "terms", "named", "constraints", "dead_ends")
PROBLEMS_SHOWN = 20
MISSING_SHOWN = 3
SESSIONS_MIN = 6  # with fewer, draws with replacement say more of the draws than of the sessions; guess
UNSAID = (
    "What this does not say: whether the agent would have worked as well. It sees only what was done next, with the window that there "
    "was; it counts words, so what is said in other words, as in a summary, counts as lost; and constraints and dead ends are those "
    "that clew itself found."
)
PRICED = {
    "append+schedule": "clew: both together",
    "append": "outputs shortened on arrival",
    "schedule": "the window rewritten when it pays",
}
COSTS = (
    "Every way sends the same requests at the same times; what was taken away and then used is charged as a request more. "
    "Doing nothing pays for the client's summaries too."
)
WIDTH_MAX = 100  # of prose; longer lines read badly
MAIN = ("summary", "10 %")  # the budget whose table is shown whole, by what there is

EXAMPLE = """
clew eval
clew eval ~/.claude/projects --limit 30
clew eval session.jsonl --budget 10% --budget summary --arms clew,summary,oracle
"""


class Share(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  generic only since click 8.4
    """A share of the history, or the size of the client's own summary."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `10%`, `0.1` or `summary`, which is 0."""
        text = str(value).strip().lower()
        if text == "summary":
            return 0.0
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 < share <= 1:
            self.fail(f"{value!r} is neither a share of the history, as 10% or 0.1, nor the word summary", param, ctx)
        return share


class Arms(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  likewise
    """Names of arms, with commas between them."""

    name = "arms"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Read `clew,summary,oracle`."""
        if isinstance(value, tuple):
            return tuple(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
        known = ("clew", *LEGEND)
        names = tuple(dict.fromkeys(name for name in str(value).replace(" ", "").split(",") if name))
        for name in names:
            if name not in known:
                self.fail(f"no arm is called {name!r}; there are {', '.join(known)}", param, ctx)
        if not names:
            self.fail("names no arm", param, ctx)
        return names


@click.command(short_help="What would have survived in your own sessions.", epilog=example(EXAMPLE))
@click.argument("sessions", type=click.Path(path_type=Path), nargs=-1, metavar="[FOLDER]...")
@click.option(
    "--budget",
    "budgets",
    type=Share(),
    multiple=True,
    metavar="SHARE",
    help="Size of the windows, as a share of the history's tokens (10%), or `summary`: the size of the client's own. May be given "
    "several times. Default: summary, 5%, 10%, 25%, 50%.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the N transcripts that were written to last.")
@click.option(
    "--arms",
    type=Arms(),
    default=DEFAULT_ARMS,
    metavar="NAME,...",
    help=f"What is compared. Default: {','.join(DEFAULT_ARMS)}; there are also bm25 and hoard.",
)
@click.option(
    "--repo", type=FOLDER, metavar="PATH", help="Without FOLDER: the repository whose sessions are meant. Default: the current one."
)
@tokenizer_option
@json_option
@quiet_option
def command(
    sessions: tuple[Path, ...],
    *,
    budgets: tuple[float, ...],
    limit: int | None,
    arms: tuple[str, ...],
    repo: Path | None,
    tokenizer: str | None,
    is_json: bool,
    is_quiet: bool,
) -> None:
    """Replay past sessions (folders of transcripts, or files) and say what would have survived a compaction.

    Each session is cut where the client compacted, or at 60 % of a session that it never compacted. What the agent
    went on to do says what it needed of what stood before; each arm fills a window of the same size, and is judged by
    how much of that it holds. Without FOLDER: Claude Code's own transcripts of this repository. Sessions that
    say what they were billed are priced again with their windows kept as clew keeps them, beside doing nothing.

    Runs on this machine alone, stores nothing, and changes no file.
    """
    from clew.hindsight.cost import reprice
    from clew.hindsight.evaluate import SHARES, Plan, evaluate, sessions_at
    from clew.hindsight.report import summarise

    settings = settings_in_force()
    places = sessions or (own_sessions(folder(repo or Path())),)
    plan = Plan(
        arms=arms,
        shares=tuple(dict.fromkeys(share for share in budgets if share)) if budgets else SHARES,
        with_summary=not budgets or 0.0 in budgets,
        tokenizer=tokenizer or settings.tokenizer,
        reprice=partial(reprice, arms=tuple(PRICED)),
        priced_arms=tuple(PRICED),
    )
    paths, problems = sessions_at(places)
    if limit is not None and len(paths) > limit:
        newest = sorted(paths, key=lambda path: (-_mtime_ns(path), str(path)))[:limit]
        paths = [path for path in paths if path in set(newest)]
    outcomes: list[Outcome] = []
    with progress(is_quiet=is_quiet or is_json) as show:
        for outcome in evaluate(paths, plan, workers=settings.jobs or os.cpu_count() or 1):
            outcomes.append(outcome)
            if show:
                show("replaying sessions", len(outcomes), len(paths))
    report = summarise(outcomes, problems)
    if is_json:
        output.write_json(as_json(report, outcomes, plan))
    else:
        output.write_text(as_text(report, plan))
        if not is_quiet:
            for problem in report.problems[:PROBLEMS_SHOWN]:
                output.say(f"clew: {problem}")
            if len(report.problems) > PROBLEMS_SHOWN:
                output.say(f"clew: and {len(report.problems) - PROBLEMS_SHOWN:,} more; --json lists them all")
    if report.problems and not report.sessions:
        raise click.exceptions.Exit(1)


def as_json(report: Report, outcomes: Sequence[Outcome], plan: Plan) -> dict[str, Any]:
    """What an evaluation found, for machines: means with their intervals, and each cut's figures."""
    value = asdict(replace(report, problems=()))
    del value["problems"]
    cuts = [
        {
            "cut": cut.id,
            "path": str(outcome.path),
            "kind": cut.kind,
            "tokens": cut.tokens,
            "calls": cut.calls,
            "needed": dict(cut.needed),
            "windows": [
                {
                    "arm": row.arm,
                    "budget": row.budget,
                    "tokens": row.tokens,
                    **{measure: found for measure in MEASURES if (found := row.value(measure)) is not None},
                    "missing": list(row.missing),
                }
                for row in cut.rows
            ],
        }
        for outcome in outcomes
        for cut in outcome.cuts
    ]
    return {"tokenizer": plan.tokenizer, **value, "cuts_judged": cuts, "problems": list(report.problems)}


def as_text(report: Report, plan: Plan) -> str:
    """What an evaluation found, for a person; "" where no session was read."""
    main = _main(report)
    parts = [_opening(report)]
    if main is not None and any(report.needed.values()):
        parts += [_shares(main), _against(main), _sizes(report, main), _worst(report)]
    if main is not None:
        parts += [_back(report, plan), _times(report)]
    parts.append(_costs(report))
    if main is not None:
        parts.append(_prose(UNSAID))
    return "\n".join(part for part in parts if part)


def _opening(report: Report) -> str:
    if not report.sessions:
        return ""
    if not report.cuts:
        sessions = "The one session" if report.sessions == 1 else f"None of {report.sessions:,} sessions"
        verb = "did not go" if report.sessions == 1 else "went"
        return _prose(f"{sessions} {verb} on for long enough after a cut to tell anything: 20 calls before it and 5 after it are needed.")
    went_on = report.sessions - report.too_short
    shares = report.cuts - report.compactions
    where = [f"{report.compactions:,} where the client compacted"] if report.compactions else []
    where += [f"{shares:,} at 60 % of a session that it never compacted"] if shares else []
    where += [f"{output.counted(report.too_short, 'session')} too short to be judged"] if report.too_short else []
    said = (
        f"What would have survived a compaction, at {output.counted(report.cuts, 'cut')} of {output.counted(went_on, 'session')}"
        f" ({'; '.join(where)})."
    )
    needed = report.needed
    if not any(needed.values()):
        return _prose(f"{said} The calls after them went back to nothing that had stood before, so there is nothing to compare.")
    return _prose(
        f"{said} The calls after each cut went back to {output.counted(needed['files'], 'file')} and "
        f"{output.counted(needed['terms'], 'rare name')} from before it, replaced {output.counted(needed['lines'], 'line')} that had been "
        f"shown, and repeated {output.counted(needed['repeats'], 'look')}. How much of that would have stood in a window of the same size?"
    )


def _main(report: Report) -> AtBudget | None:
    by_name = {at.budget: at for at in report.budgets}
    return next((by_name[name] for name in MAIN if name in by_name), report.budgets[0] if report.budgets else None)


def _shares(at: AtBudget) -> str:
    from clew.cli.tables import Column, table

    title = "At the size of the client's own summary" if at.budget == "summary" else f"At {at.budget} of the history"
    above = [f"{title}: {output.counted(at.cuts, 'cut')}, {at.tokens:,} tokens ({_percent(at.share, 1)})"]
    columns = [Column("in %")] + [Column(arm, is_number=True, style="bold" if arm == "clew" else "") for arm in at.arms]
    rows = [
        [name, *(_points(found[measure], decimals=measure == "terms_per_1000") for found in at.arms.values())]
        for measure, name in MEASURES.items()
        if any(found[measure].n for found in at.arms.values())
    ]
    legend = "; ".join(f"{arm}: {LEGEND[arm]}" for arm in at.arms if arm in LEGEND)
    return table(above, columns, rows) + _prose(f"{legend}.", indent="  ")


def _against(at: AtBudget) -> str:
    """Clew's differences from the summary, where there is one, and from the newest text."""
    from clew.cli.tables import Column, table

    others = [arm for arm in ("summary", "recency") if arm in at.ahead] or list(at.ahead)[:1]
    if not others:
        return ""
    few = at.sessions < SESSIONS_MIN
    columns = [Column("points" if few else "points, 95 % interval")] + [Column(f"clew − {arm}", is_number=True) for arm in others]
    rows = [
        [MEASURES[measure], *(_difference(at.ahead[arm][measure], few=few) for arm in others)]
        for measure in AGAINST
        if any(at.ahead[arm][measure].n for arm in others)
    ]
    apart = _prose(f"{output.counted(at.sessions, 'session')}: too few for intervals.", indent="  ") if few else ""
    return table([], columns, rows) + apart


def _sizes(report: Report, main: AtBudget) -> str:
    """Clew at all other sizes, with the newest text in brackets."""
    from clew.cli.tables import Column, table

    others = [at for at in report.budgets if at is not main and "clew" in at.arms]
    if not others:
        return ""
    beside = next((arm for arm in ("recency", "summary", "random") if arm in others[0].arms), "")
    measures = ("files", "verbatim", "folded", "terms", "named")
    above = [f"At other sizes: clew ({beside})" if beside else "At other sizes: clew"]
    heads = ("files", "lines", "unfold", "with line", "named")
    columns = [Column("of the history"), *(Column(head, is_number=True) for head in heads), Column("tokens", is_number=True)]
    rows = [
        [
            "the summary's size" if at.budget == "summary" else at.budget,
            *(_points(at.arms["clew"][name]) + (f" ({_points(at.arms[beside][name])})" if beside in at.arms else "") for name in measures),
            f"{at.tokens:,}",
        ]
        for at in others
    ]
    return table(above, columns, rows)


def _worst(report: Report) -> str:
    if not report.worst:
        return ""
    budget = "the summary's size" if report.worst[0].budget == "summary" else report.worst[0].budget
    lines = [f"Worst for clew, at {budget} (mean of files, lines and names):"]
    for each in report.worst:
        missing = ", ".join(each.missing[:MISSING_SHOWN]) + (
            f" and {len(each.missing) - MISSING_SHOWN} more" if len(each.missing) > MISSING_SHOWN else ""
        )
        lines.append(f"  {_percent(each.score):>5}  {each.cut}")
        if each.request:
            lines.append(f"         asked: {textwrap.shorten(output.visible(each.request), _width() - 17, placeholder=' …')}")
        if missing:
            lines.append(f"         not named: {output.visible(missing)}")
    return "\n".join(lines) + "\n"


def _back(report: Report, plan: Plan) -> str:
    if "clew" not in plan.arms:
        return ""
    back = report.recovery
    said = (
        f"{output.sized(back.size_back)} of {output.sized(back.size)} of transcripts, {back.records_back:,} of "
        f"{output.counted(back.records, 'record')}, {back.handles_back:,} of {output.counted(back.handles, 'handle')} that windows print"
    )
    return _prose(f"All that was folded comes back, byte for byte: {said}." if back.is_whole else f"NOT ALL COMES BACK: {said}.")


def _times(report: Report) -> str:
    if not report.made_ms:
        return ""
    return _prose(
        f"clew read a session up to its cut in {report.made_ms:,.0f} ms (median; at most {report.made_ms_max:,.0f} ms; "
        f"{report.ms_per_observation:.1f} ms an observation)."
    )


def _costs(report: Report) -> str:
    """What the sessions would have been billed, against doing nothing."""
    from clew.cli.tables import Column, table

    if not report.costs:
        return ""
    first = next(iter(report.costs.values()))
    dollars = "" if first.nothing_dollars is None else f", ${first.nothing_dollars:,.2f} at list prices"
    above = [
        f"Billed, priced again with the cache: {output.counted(first.sessions, 'session')}",
        f"Doing nothing: {first.nothing_units / 1e6:,.2f} million tokens of plain input{dollars}",
    ]
    columns = [Column("against doing nothing"), *(Column(head, is_number=True) for head in ("mean", "of all", "dearer", "worst"))]
    columns += [Column("dollars", is_number=True)] if first.nothing_dollars is not None else []
    rows = [
        [
            PRICED.get(arm, arm),
            f"{_points(found.mean, decimals=True, sign=True)} %",
            f"{100 * found.pooled:+.1f} %",
            f"{found.dearer:,} of {found.sessions:,}",
            f"{100 * found.worst:+.1f} %" if found.dearer else "–",
            *(
                [f"{found.dollars - found.nothing_dollars:+,.2f}"]
                if found.dollars is not None and found.nothing_dollars is not None
                else []
            ),
        ]
        for arm, found in report.costs.items()
    ]
    return table(above, columns, rows) + _prose(COSTS, indent="  ")


def _points(found: Estimate, *, decimals: bool = False, sign: bool = False) -> str:
    if found.mean is None:
        return "–"
    return f"{100 * found.mean:{'+' if sign else ''}.{1 if decimals else 0}f}"


def _difference(found: Difference, *, few: bool) -> str:
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    if few:
        return f"{round(100 * found.mean):+d}"
    return f"{round(100 * found.mean):+d} [{round(100 * found.low):+d}, {round(100 * found.high):+d}]"


def _percent(share: float, decimals: int = 0) -> str:
    return f"{100 * share:.{decimals}f} %"


def _prose(text: str, indent: str = "") -> str:
    kept = output.visible(text).replace(" %", "\u00a0%")  # a number and its sign stay on one line
    filled = textwrap.fill(kept, _width(), initial_indent=indent, subsequent_indent=indent, break_long_words=False)
    return filled.replace("\u00a0%", " %") + "\n"


def _width() -> int:
    """Of prose: the terminal's, as far as it reads well."""
    return min(shutil.get_terminal_size((WIDTH_MAX, 24)).columns, WIDTH_MAX) if output.is_terminal(sys.stdout) else WIDTH_MAX


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone since it was found: reading it says so
        return 0
