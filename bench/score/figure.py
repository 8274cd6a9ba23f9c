"""Nouns of the scoreboard: a figure measures a claim and gives values; a value knows how to tell a change from noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REFERENCE_COMMIT = "8a04dca68564"  # speeds are ratios to this commit, measured in the same minutes


class DataMissing(Exception):
    """What a figure needs is not on this machine; the message says what it is."""


@dataclass(frozen=True)
class Context:
    """Where the inputs are, and how much of them is taken.

    data     holds sessions/, localization/, memory/; None where there is none. `cases` holds conversation/.
    mirrors  holds git directories as owner+name/repo.
    work     an empty folder for this run.
    reference  the commit to which speeds are ratios.
    """

    work: Path
    data: Path | None = None
    mirrors: Path | None = None
    cases: Path | None = None
    is_quick: bool = False
    reference: str = REFERENCE_COMMIT

    def of_data(self, name: str) -> Path:
        """Return the folder `name` of the data. Raises DataMissing."""
        if self.data is None or not (self.data / name).is_dir():
            raise DataMissing(f"--data with a folder {name}/")
        return self.data / name

    def mirror_of(self, repository: str) -> Path:
        """Return the git directory of `owner/name`. Raises DataMissing."""
        folder = (self.mirrors or Path("/nowhere")) / repository.replace("/", "+") / "repo"
        found = next((each for each in (folder, folder / ".git") if (each / "objects").is_dir()), None)
        if found is None:
            raise DataMissing(f"--mirrors with {repository}")
        return found

    def sessions(self, quick: int) -> list[Path]:
        """Return all recorded sessions, or `quick` of them in a quick run, spread over their names. Raises DataMissing."""
        found = sorted(path for path in self.of_data("sessions").rglob("*.jsonl*") if path.name != "INDEX.jsonl")
        return found[:: max(1, len(found) // quick)][:quick] if self.is_quick else found


@dataclass(frozen=True)
class Value:
    """One number of a figure.

    better  "higher" or "lower".
    rows    what it is the mean of, by the name of the row; `clusters` by the same name: rows of one cluster resemble each other.
    low, high  of repeated measurements, where it was repeated. With neither rows nor repeats every change is one.
    """

    number: float
    unit: str
    better: str
    rows: Mapping[str, float] = field(default_factory=dict[str, float])
    clusters: Mapping[str, str] = field(default_factory=dict[str, str])
    low: float | None = None
    high: float | None = None

    @classmethod
    def of_rows(cls, rows: Mapping[str, float | None], clusters: Mapping[str, str], *, unit: str = "%", better: str = "higher") -> Value:
        """The mean of those rows that have a number."""
        known = {name: round(float(number), 4) for name, number in rows.items() if number is not None}
        mean = sum(known.values()) / len(known) if known else 0.0
        return cls(mean, unit, better, known, {name: clusters[name] for name in known})

    @classmethod
    def of_repeats(cls, numbers: Iterable[float], *, unit: str, better: str = "lower") -> Value:
        """The median of repeated measurements, with the lowest and the highest."""
        ordered = sorted(numbers)
        return cls(ordered[len(ordered) // 2], unit, better, low=ordered[0], high=ordered[-1])

    def as_json(self) -> dict[str, Any]:
        """Plain values, those that are empty left out."""
        held = {"number": round(self.number, 5), "unit": self.unit, "better": self.better}
        more = {"rows": dict(self.rows), "clusters": dict(self.clusters), "low": self.low, "high": self.high}
        return held | {name: each for name, each in more.items() if each not in (None, {})}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Value:
        """Read what `as_json` wrote."""
        return cls(**held)


@dataclass(frozen=True)
class Figure:
    """A claim of the README, and how it is measured: `measure` returns values by name, or raises DataMissing."""

    name: str
    claim: str
    measure: Callable[[Context], Mapping[str, Value]]
