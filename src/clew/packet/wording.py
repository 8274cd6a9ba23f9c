"""Wording: put reasons into words for a reader. No code parses them back."""

from __future__ import annotations

from clew.records import MatchKind, MatchReason, make_handle

NAME_CHARS_MAX = 60  # of another record's name
_FORMS: dict[MatchKind, str] = {
    MatchKind.NAMED: "named in the question: {}",
    MatchKind.RECENTLY_NAMED: "recently named: {}",
    MatchKind.FRAME: "in the stack trace, line {}",
    MatchKind.FRAME_FILE: "its file is in the stack trace",
    MatchKind.PATH: "its path is quoted: {}",
    MatchKind.LINE: "line {} is quoted",
    MatchKind.TOUCHED: "its file was just touched ({})",
    MatchKind.COMMIT: "a commit that changed its file speaks of it",
    MatchKind.FILE: "its file matches",
    MatchKind.TIER: "on the {} tier",
    MatchKind.SUSPECT: "suspect: {}",
    MatchKind.FILE_CHANGED: "its file has changed since",
    MatchKind.FILE_GONE: "its file is no longer there",
    MatchKind.README: "the README",
    MatchKind.ENTRY_POINT: "a program or a package begins here",
    MatchKind.ALONE: "stands alone",
    MatchKind.INTERNAL: "used in its own file, or by tests",
    MatchKind.TIME: "of the time that is asked for",
    MatchKind.BESIDE: "beside turns that hold the question's words",
    MatchKind.USER_WORDS: "the user's words",
    MatchKind.NEEDED_AGAIN: "lines like these are needed again: {} expected",
    MatchKind.OF_KIND: "{}",
    MatchKind.REST_ENDED: "only lines that still hold: the rest was {}",
    MatchKind.COMPRESSED: "{}: says for few tokens what there is no room to show",
}
_USES = {"call": "calls", "reference": "refers to", "inherit": "inherits from", "mention": "mentions"}


def describe_reason(reason: MatchReason) -> str:
    """Return one phrase in English for a reason."""
    values = reason.values
    match reason.kind:
        case MatchKind.WORDS:
            return "words: " + ", ".join(map(str, values))
        case MatchKind.ENDED:
            by = f" by ⟨{make_handle(str(values[1]))}⟩" if values[1] else ""
            return f"no longer true: {values[0] or 'superseded'}{by}"
        case MatchKind.USES:
            return f"it {_USES[str(values[0])]} {_named(values[1])}"
        case MatchKind.USED_BY:
            return f"{_named(values[1])} {_USES[str(values[0])]} it"
        case MatchKind.CONTAINS:
            return f"it contains {_named(values[1])}"
        case MatchKind.USERS:
            return f"used by {_counted(values[0])}"
        case MatchKind.USES_MANY:
            return f"brings together {_counted(values[0])}"
        case MatchKind.RENEWED:
            return f"said anew by ⟨{make_handle(str(values[0]))}⟩: {values[1]}"
        case MatchKind.COUPLED:
            return f"{values[0]} {_named(values[1])}"
        case _:
            return _FORMS[reason.kind].format(*values)


def _counted(files: str | int) -> str:
    return f"{int(files):,} other file{'' if files == 1 else 's'}"


def _named(name: str | int) -> str:
    text = str(name) or "another record"
    return text if len(text) <= NAME_CHARS_MAX else text[: NAME_CHARS_MAX - 1] + "…"
