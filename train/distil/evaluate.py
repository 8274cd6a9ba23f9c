"""Judge: what models keep of held-out cuts at the same size, beside the nets, chance, the newest lines and an oracle.

The measures are `clew eval`'s (`clew.evaluation.scores`): the share of edited lines that stand verbatim (`lines`), and of rare names that
stand with a line of theirs (`rare`). All arms choose among the lines of the same parts, and take what fits the same budget. Differences
are paired by cut, their intervals drawn by session.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from clew.enrich.models import Model
from clew.evaluation.intervals import difference, estimate
from clew.evaluation.needs import NeededEdit, NeededTerm, Needs
from clew.evaluation.scores import SearchableWindow, score_needs
from train.distil.form import as_model_request, parse_answer, to_numbers
from train.distil.parts import JudgedCut, Line, draw, with_parts

SHARES = (0.05, 0.1, 0.25)  # of the parts' tokens: the client's own summaries are 3 to 10 % of a history
MEASURES = {"lines": "verbatim", "rare": "terms"}
LINE_MARK_TOKENS = 4.0  # what a line of its own costs beside its text, about
SEED = 20_261_130

Key = tuple[int, int]
"""A line of a cut: number of the part, and of the line from 1."""


@dataclass(slots=True)
class AnswerCounts:
    """What a model answered.

    asked, readable, nothing  parts, answers that hold a range or `none`, and those that say `none`.
    named, right, needed      lines that it named, how many of them hindsight names, and how many hindsight names in all.
    """

    asked: int = 0
    readable: int = 0
    nothing: int = 0
    named: int = 0
    right: int = 0
    needed: int = 0


@dataclass(slots=True)
class Judgement:
    """Rows of scores by (arm, share, measure), one value a cut; the cuts' sessions; what each model answered."""

    sessions: list[str] = field(default_factory=list[str])
    projects: list[str] = field(default_factory=list[str])
    values: dict[tuple[str, float, str], list[float | None]] = field(default_factory=dict[tuple[str, float, str], list[float | None]])
    answers: dict[str, AnswerCounts] = field(default_factory=dict[str, AnswerCounts])


class Answer(msgspec.Struct, frozen=True):
    """A model's answer, by a hash of its name and the request; it may hold words of the session."""

    session: str
    key: str
    text: str


class Answers:
    """Models' answers, kept in a file of the data set, so that a run that was stopped goes on where it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_bytes().splitlines() if path.is_file() else []
        known = [msgspec.json.decode(line, type=Answer) for line in lines if line.endswith(b"}")]
        self._known = {answer.key: answer.text for answer in known}

    def ask(self, model: Model, session: str, request: str) -> str:
        """Return the model's answer to a part's request. Raises ModelError."""
        key = hashlib.sha256(f"{model.name}\0{request}".encode()).hexdigest()
        if key not in self._known:
            self._known[key] = model.complete(as_model_request(request)).text
            with self._path.open("ab") as stream:
                stream.write(msgspec.json.encode(Answer(session, key, self._known[key])) + b"\n")
        return self._known[key]


def judge(
    cuts: Iterable[JudgedCut], models: Mapping[str, Model], answers: Answers, *, parts: int, progress: Callable[[str], None]
) -> Judgement:
    """Judge these cuts, `parts` parts of each (0 for all), with each model by its arm's name."""
    done = Judgement(answers={name: AnswerCounts() for name in models})
    for cut in cuts:
        asked = with_parts(cut, draw(cut, parts, needed_share=0.5)) if parts else cut
        if not asked.edited and not asked.terms:
            continue
        named = {name: name_lines(asked, model, answers, done.answers[name]) for name, model in models.items()}
        score_cut(asked, named, done)
        progress(f"{len(done.sessions)} cuts, {cut.id[:8]}")
    return done


def name_lines(cut: JudgedCut, model: Model, answers: Answers, counts: AnswerCounts) -> list[Key]:
    """Return the lines that a model names in a cut's parts, the newest part first."""
    found: list[Key] = []
    for at in range(len(cut.parts) - 1, -1, -1):
        part = cut.parts[at]
        text = answers.ask(model, cut.session, part.request)
        numbers = to_numbers(parse_answer(text, len(part.lines)))
        is_nothing = not numbers and text.strip().lower().startswith("none")
        counts.asked += 1
        counts.nothing += is_nothing
        counts.readable += bool(numbers) or is_nothing
        counts.named += len(numbers)
        counts.right += len(set(part.needed).intersection(numbers))
        counts.needed += len(part.needed)
        found += [(at, number) for number in numbers]
    return found


def score_cut(cut: JudgedCut, named: Mapping[str, Sequence[Key]], done: Judgement) -> None:
    """Add the scores of all arms for one cut."""
    lines = {(at, number): line for at, part in enumerate(cut.parts) for number, line in enumerate(part.lines, 1)}
    keys = list(lines)
    rate = {key: line.utility / (line.tokens + LINE_MARK_TOKENS) for key, line in lines.items()}
    by_nets = sorted(keys, key=lambda key: (-rate[key], key))
    shuffled = list(keys)
    random.Random(int(hashlib.sha256(f"{SEED} {cut.id}".encode()).hexdigest()[:16], 16)).shuffle(shuffled)
    needed = [(at, number) for at, part in enumerate(cut.parts) for number in part.needed]
    orders: dict[str, Sequence[Key]] = {
        "nets": by_nets,
        "newest": keys[::-1],
        "random": shuffled,
        "oracle": [*sorted(needed, key=lambda key: (lines[key].tokens, key)), *by_nets],
    }
    for name, chosen in named.items():
        is_chosen = set(chosen)
        orders[name] = [*chosen, *shuffled]
        orders[f"{name}, then nets"] = [*(key for key in by_nets if key in is_chosen), *by_nets]
    wanted = Needs(
        edits=(NeededEdit("", cut.edited),) if cut.edited else (), terms=tuple(NeededTerm(text, evidence) for text, evidence in cut.terms)
    )
    size = sum(line.tokens for line in lines.values())
    for arm, order in orders.items():
        for share in SHARES:
            shown = take(order, lines, size * share)
            scores = score_needs(SearchableWindow("\n".join(line.text for line in shown)), wanted)
            for measure, of in MEASURES.items():
                done.values.setdefault((arm, share, measure), []).append(scores[of])
    done.sessions.append(cut.session)
    done.projects.append(cut.project)


def take(order: Iterable[Key], lines: Mapping[Key, Line], budget: float) -> list[Line]:
    """Return the lines that fit a budget in tokens, taken in this order, each once, in the order of the history."""
    kept: set[Key] = set()
    for key in order:
        if key not in kept and lines[key].tokens <= budget:
            kept.add(key)
            budget -= lines[key].tokens
    return [lines[key] for key in sorted(kept)]


def summarise(done: Judgement, pairs: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return means with intervals by share, arm and measure, and the paired differences of these arms."""
    shares: dict[str, object] = {}
    for share in SHARES:
        arms = list(dict.fromkeys(arm for arm, at, _ in done.values if at == share))
        shares[f"{share:g}"] = {
            "arms": {
                arm: {measure: asdict(estimate(done.values[arm, share, measure], done.sessions)) for measure in MEASURES} for arm in arms
            },
            "differences": {
                f"{first} − {second}": {
                    measure: asdict(difference(done.values[first, share, measure], done.values[second, share, measure], done.sessions))
                    for measure in MEASURES
                }
                for first, second in pairs
            },
        }
    return {
        "cuts": len(done.sessions),
        "sessions": len(set(done.sessions)),
        "projects": sorted(set(done.projects)),
        "answers": {name: asdict(counts) for name, counts in done.answers.items()},
        "shares": shares,
    }


def as_table(summary: Mapping[str, object]) -> str:
    """Return a summary as Markdown."""
    found = msgspec.convert(summary, type=_Summary)
    parts = [f"{found.cuts} cuts of {found.sessions} sessions; held out: {', '.join(found.projects)}.\n"]
    for name, counts in found.answers.items():
        precision, recall = counts.right / max(counts.named, 1), counts.right / max(counts.needed, 1)
        parts.append(
            f"- {name}: {counts.readable} of {counts.asked} answers readable ({counts.nothing} `none`); of {counts.named} named lines "
            f"{precision:.2f} are needed, of {counts.needed} needed lines {recall:.2f} are named."
        )
    for share, at in found.shares.items():
        parts += [f"\n| {float(share):.0%} of the parts' tokens | lines | rare |", "|---|---|---|"]
        for name, of in (at.arms | at.differences).items():
            parts.append(f"| {name} | {of['lines'].text()} | {of['rare'].text()} |")
    return "\n".join(parts) + "\n"


class _Value(msgspec.Struct):
    n: int
    mean: float | None
    low: float | None
    high: float | None

    def text(self) -> str:
        return "–" if self.mean is None else f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}], {self.n}"


class _Share(msgspec.Struct):
    arms: dict[str, dict[str, _Value]]
    differences: dict[str, dict[str, _Value]]


class _Summary(msgspec.Struct):
    cuts: int
    sessions: int
    projects: list[str]
    answers: dict[str, AnswerCounts]
    shares: dict[str, _Share]
