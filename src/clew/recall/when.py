"""When: parse the times that a question mentions into spans of days.

`two weeks ago`, `last month`, `in May`, `on 2023-05-07`: in English, relative to the day on which the question is asked.
An expression that is not understood gives no time; its words still count in the other channels.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTHS = {
    name: at
    for at, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug", "september sept sep",
            "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = {name: at for at, name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))}
_NUMBERS = {
    name: at
    for at, names in enumerate(
        ("a an one", "two couple", "three few", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), 1
    )
    for name in names.split()
} | {"several": 4}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
# Who says "two weeks ago" seldom counts the days: half a unit of doubt, at least a day.
_DOUBT_SHARE = 0.5

_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(_NUMBERS)})(?: of)?"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_AGO = re.compile(rf"\b(?:a )?{_COUNT} (?P<unit>day|week|month|year)s? (?:ago|before today)\b")
_WITHIN = re.compile(
    rf"\b(?:past|last|previous)(?: (?P<count>\d{{1,3}}|{'|'.join(_NUMBERS)})(?: of)?)? (?P<unit>day|week|month|year)(?P<many>s?)\b"
)
_THIS = re.compile(r"\b(?:this|current) (?P<unit>week|month|year)\b")
_NEAR = re.compile(r"\b(?P<word>today|yesterday|day before yesterday|last night|tonight|this morning)\b")
_ON_DAY = re.compile(rf"\b(?:last |past |this |on )(?P<weekday>{'|'.join(_WEEKDAYS)})\b")
_WEEKEND = re.compile(r"\b(?:last|past|this) weekend\b")
_ISO = re.compile(r"\b(?P<year>(?:19|20)\d\d)[-/.](?P<month>[01]?\d)[-/.](?P<day>[0-3]?\d)\b")
_SLASHED = re.compile(r"(?<![\d/])(?P<month>[01]?\d)/(?P<day>[0-3]?\d)(?:/(?P<year>(?:19|20)\d\d))?(?![\d/])")
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_NAMED_DAY = re.compile(
    rf"\b(?:{_MONTH} {_DAY}|{_DAY.replace('day>', 'day2>')} (?:of )?{_MONTH.replace('month>', 'month2>')})(?:,? {_YEAR})?\b"
)
_BEFORE_MONTH = r"(?:in|during|since|last|this|of|by|until|through|from|before|after|between)[ -](?:early |mid-?|late )?"
_NAMED_MONTH = re.compile(rf"\b{_BEFORE_MONTH}{_MONTH}(?:,? {_YEAR})?(?! ?\d)")
_NAMED_YEAR = re.compile(rf"\b(?:in|during|since|of) {_YEAR}\b")


@dataclass(frozen=True, slots=True)
class DateSpan:
    """Days from `first` to `last`, both inclusive.

    uncertainty_days  how many days before or after them may be meant as well.
    """

    first: date
    last: date
    uncertainty_days: float = 0.0

    def compute_nearness(self, day: date) -> float:
        """Return how well a day fits: 1 inside the span, falling linearly to 0 at 2 × `uncertainty_days` before or after it."""
        apart = max((self.first - day).days, (day - self.last).days, 0)
        if apart <= self.uncertainty_days:
            return 1.0 - 0.5 * apart / max(self.uncertainty_days, 1.0)
        return max(0.0, 1.0 - 0.5 * apart / max(self.uncertainty_days, 1.0)) if self.uncertainty_days else 0.0


def utc_date(at_ns: int) -> date:
    """Return the day in UTC of a time in nanoseconds."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).date()


def find_dates(text: str, asked: date) -> tuple[DateSpan, ...]:
    """Return the times that a text mentions, each once, read relative to the day `asked`."""
    found: dict[DateSpan, None] = {}
    for span in _read(" ".join(text.lower().split()), asked):
        found.setdefault(span)
    return tuple(found)


def _read(text: str, asked: date) -> Iterator[DateSpan]:
    for match in _AGO.finditer(text):
        days = _count(match["count"]) * _UNIT_DAYS[match["unit"]]
        middle = _before(asked, days)
        yield DateSpan(middle, middle, max(1.0, _DOUBT_SHARE * _UNIT_DAYS[match["unit"]]))
    for match in _WITHIN.finditer(text):
        unit = _UNIT_DAYS[match["unit"]]
        count = _count(match["count"]) if match["count"] else 1
        yield DateSpan(_before(asked, count * unit), asked, max(1.0, _DOUBT_SHARE * unit))
    for match in _THIS.finditer(text):
        yield DateSpan(_before(asked, _UNIT_DAYS[match["unit"]]), asked)
    for match in _NEAR.finditer(text):
        back = {"yesterday": 1, "last night": 1, "day before yesterday": 2}.get(match["word"], 0)
        yield DateSpan(_before(asked, back), _before(asked, back), 1.0 if back else 0.0)
    for match in _ON_DAY.finditer(text):
        back = (asked.weekday() - _WEEKDAYS[match["weekday"]]) % 7 or 7
        yield DateSpan(_before(asked, back), _before(asked, back), 1.0)
    for _ in _WEEKEND.finditer(text):
        back = (asked.weekday() - 5) % 7 or 7
        yield DateSpan(_before(asked, back), _before(asked, back - 1), 1.0)
    for pattern in (_ISO, _SLASHED, _NAMED_DAY):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            month, day = groups.get("month") or groups.get("month2") or "", groups.get("day") or groups.get("day2") or ""
            number = int(month) if month.isdigit() else _MONTHS[month]
            if one := _day(groups.get("year"), number, int(day), asked):
                yield DateSpan(one, one, 1.0)
        text = pattern.sub(" ", text)  # `the 3rd of May` is not all of May as well
    for match in _NAMED_MONTH.finditer(text):
        month = _MONTHS[match["month"]]
        if first := _day(match["year"], month, 1, asked):
            yield DateSpan(first, first.replace(day=monthrange(first.year, month)[1]), 1.0)
    for match in _NAMED_YEAR.finditer(text):
        yield DateSpan(date(int(match["year"]), 1, 1), date(int(match["year"]), 12, 31))


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS[word]


def _before(asked: date, days: int) -> date:
    return asked - timedelta(days=min(days, asked.toordinal() - 1))


def _day(year: str | None, month: int, day: int, asked: date) -> date | None:
    """The day that is meant, without a year the last one that had come by then; None for what is no date."""
    try:
        if year:
            return date(int(year), month, day)
        this = date(asked.year, month, day)
        return this if this <= asked else date(asked.year - 1, month, day)
    except ValueError:
        return None
