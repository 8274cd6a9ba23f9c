"""Wording: put reasons into words for a reader. No code parses them back."""

from __future__ import annotations

from datetime import UTC, datetime

from clew.records.as_of import AsOf
from clew.records.reasons import EndKind, EndReason, MatchKind, MatchReason, Remark, RemarkKind
from clew.records.records import make_handle
from clew.records.spans import Spans, clew_span, join_text, outside_span

NAME_CHARS_MAX = 60  # of another record's name
_FORMS: dict[MatchKind, str] = {
    MatchKind.NAMED: "named in the question: {}",
    MatchKind.RECENTLY_NAMED: "recently named: {}",
    MatchKind.FRAME: "in the stack trace, line {}",
    MatchKind.FRAME_FILE: "its file is in the stack trace",
    MatchKind.PATH: "its path is quoted: {}",
    MatchKind.LINE: "line {} is quoted",
    MatchKind.VERBATIM: "holds word for word: {}",
    MatchKind.TOUCHED: "its file was just touched ({})",
    MatchKind.IN_SESSION: "in this session: {}",
    MatchKind.EXPECTED: "the session goes on here with {} % probability",
    MatchKind.COMMIT: "a commit that changed its file speaks of it",
    MatchKind.FILE: "its file matches",
    MatchKind.TWIN: "plays the part of {}",
    MatchKind.TIER: "on the {} tier",
    MatchKind.FILE_CHANGED: "its file has changed since",
    MatchKind.FILE_GONE: "its file is no longer there",
    MatchKind.README: "the README",
    MatchKind.ENTRY_POINT: "a program or a package begins here",
    MatchKind.ALONE: "stands alone",
    MatchKind.INTERNAL: "used in its own file, or by tests",
    MatchKind.TIME: "of the time that is asked for",
    MatchKind.BESIDE: "beside turns that hold the question's words",
    MatchKind.PINNED: "pinned by you",
    MatchKind.LAST_ACTION: "one of the turn's last actions",
    MatchKind.NEEDED_AGAIN: "lines like these are needed again: {} expected",
    MatchKind.OF_KIND: "{}",
    MatchKind.CHANGED_WITH: "changed together in {} of {} commits",
    MatchKind.RENAMED_SINCE: "changed together under an earlier name",
    MatchKind.EDITED_WITH: "edited together in sessions",
    MatchKind.TESTS_TARGET: "tests it, by its name",
    MatchKind.TESTED_BY_TARGET: "is tested by it",
    MatchKind.IMPORTS_TARGET: "imports it",
    MatchKind.IMPORTED_BY_TARGET: "is imported by it",
    MatchKind.SHARED_LITERAL: "shares the literal {!r}",
    MatchKind.SHARED_NAME: "shares the rare name {}",
    MatchKind.SAME_NAME: "has the same name",
    MatchKind.LIKE_NAME: "has a like name",
    MatchKind.SAME_FOLDER: "stands in the same folder",
    MatchKind.PROPOSED: "{}",
    MatchKind.ALIKE: "`{}` and its `{}` share rare words, and may change together",
    MatchKind.THOUGHT: "{}",
    MatchKind.COMPRESSED: "{}: says for few tokens what there is no room to show",
}
_END_FORMS: dict[EndKind, str] = {
    EndKind.READ_AGAIN: "read again",
    EndKind.REPEATED: "the same came again",
    EndKind.CONTAINED: "contained in a later read",
    EndKind.CHANGED: "changed since",
    EndKind.EDITED: "edited later",
    EndKind.REWRITTEN: "rewritten later",
    EndKind.CHANGED_BY_COMMAND: "changed by a later command",
    EndKind.CHANGED_BY_GIT: "changed by git {}",
    EndKind.CHANGED_OUTSIDE: "changed outside the session",
    EndKind.DELETED: "deleted later",
    EndKind.PUT_BACK: "put back later",
    EndKind.COMMIT_UNDONE: "its commit was undone",
    EndKind.STASHED: "laid aside by git stash",
    EndKind.UNSTASHED: "edited by what came back from the stash",
    EndKind.BRANCH_LEFT: "seen on branch {}; {} was checked out",
    EndKind.NOT_CHECKED: "not checked since",
    EndKind.NOT_CHECKED_ON: "not checked on branch {}",
    EndKind.TARGET_DELETED: "what it checked was deleted",
    EndKind.FIXED: "fixed",
    EndKind.BROKEN: "broken since",
    EndKind.FAILED_AGAIN: "failed again",
    EndKind.SAME_OUTPUT: "run again with the same output",
    EndKind.OTHER_OUTPUT: "run again with another output",
    EndKind.COVERED: "covered by a later check",
    EndKind.WORKED: "worked later",
    EndKind.STEPS_CHANGED: "the list moved on",
    EndKind.PLAN_REPLACED: "replaced by a later plan",
    EndKind.TRIED_AGAIN: "told again",
    EndKind.RULE_REPEATED: "said again",
    EndKind.TAKEN_BACK: "taken back later",
    EndKind.NOTE_RENEWED: "said anew",
    EndKind.COMPRESSED_AGAIN: "compressed anew",
    EndKind.PARTS_CHANGED: "the session is cut into other parts now",
    EndKind.REPLACED: "a newer version replaced it",
    EndKind.DROPPED: "its source no longer holds it",
    EndKind.SOURCE_GONE: "its source is gone",
    EndKind.STATED: "said to be no longer true",
    EndKind.INPUTS_ENDED: "{} of the {} records that it was made from are no longer true",
    EndKind.UNKNOWN: "unknown",
    EndKind.OTHER: "{}",
}
_UNREAD = {  # why a file's text is not indexed, as its state says
    "binary": "it is binary",
    "generated": "it is generated",
    "minified": "it is minified",
    "vendored": "it is others' code that is kept here",
    "huge": "it is too large",
    "secret": "its name says that it holds credentials",
    "hidden": "it is hidden, and git does not track it",
    "symlink": "it is a link",
    "ignored": "git ignores it",
    "missing": "it is not there",
    "submodule": "it belongs to a repository of its own",
}
_OF_CITED = {EndKind.INPUTS_ENDED, EndKind.OTHER}  # they name what a suspect record rests on
_USES = {"call": "calls", "reference": "refers to", "inherit": "inherits from", "mention": "mentions"}
_USED = {"call": "called", "reference": "referred to", "inherit": "inherited", "mention": "mentioned"}


def describe_reason(reason: MatchReason) -> str:
    """Return one phrase in English for a reason."""
    values = reason.values
    match reason.kind:
        case MatchKind.WORDS:
            return "words: " + ", ".join(map(str, values))
        case MatchKind.TASK_WORDS:
            return "words of the work: " + ", ".join(map(str, values))
        case MatchKind.ENDED:
            by = f" by ⟨{make_handle(str(values[0]))}⟩" if values else ""
            return f"no longer true: {describe_end(reason.end) or 'superseded'}{by}"
        case MatchKind.SUSPECT:
            return f"suspect: {describe_end(reason.end, is_doubt=True)}"
        case MatchKind.REST_ENDED:
            return f"only lines that still hold: the rest was {describe_end(reason.end)}"
        case MatchKind.USES:
            return f"it {_USES[str(values[0])]} {_named(values[1])}"
        case MatchKind.USED_BY:
            return f"{_named(values[1])} {_USES[str(values[0])]} it"
        case MatchKind.USES_TARGET:
            return f"{_USES[str(values[0])]} it"
        case MatchKind.SIGNATURE_CHANGED:
            return f"uses {_named(values[0])}, whose signature changed"
        case MatchKind.USED_BY_TARGET:
            return f"is {_USED[str(values[0])]} by it"
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


def describe_unread(reason: str) -> str:
    """Return in English why a file's text is not indexed, as the state of its source says it."""
    return _UNREAD.get(reason, reason)


def describe_remark(remark: Remark) -> str:
    """Return one sentence in English for a remark."""
    return join_text(remark_spans(remark))


def remark_spans(remark: Remark) -> Spans:
    """Return the sentence for a remark, split by author: names and paths are words from outside."""
    first, *rest = remark.values or ("",)
    listed = outside_span(", ".join(remark.values))
    more = f" and {remark.count - len(remark.values):,} more" if remark.count > len(remark.values) else ""
    match remark.kind:
        case RemarkKind.NO_SUCH_NAME | RemarkKind.NO_SUCH_PATH:
            what = "name" if remark.kind is RemarkKind.NO_SUCH_NAME else "path"
            near = (clew_span("; nearest: "), outside_span(", ".join(rest))) if rest else ()
            return clew_span(f"No such {what} here: "), outside_span(first), *near, clew_span(".")
        case RemarkKind.NOT_READ:
            if rest[0] == "cut":
                return (
                    clew_span("Read in part, because of its size or its long lines: "),
                    outside_span(first),
                    clew_span("."),
                )
            return clew_span("Not read, because "), clew_span(f"{describe_unread(rest[0])}: "), outside_span(first), clew_span(".")
        case RemarkKind.FRAMES_OUTSIDE:
            return clew_span("Frames outside this repository: "), listed, clew_span(f"{more}.")
        case RemarkKind.MINIFIED_FRAMES:
            return clew_span("Lines of minified files, not of sources: "), listed, clew_span(f"{more}.")
        case RemarkKind.NO_EVIDENCE | RemarkKind.LITTLE_EVIDENCE:
            how = "No evidence: nothing was found" if remark.kind is RemarkKind.NO_EVIDENCE else "Little evidence"
            absent = (clew_span("; words that are nowhere here: "), listed) if remark.values else ()
            return clew_span(how), *absent, clew_span(".")


def describe_end(reason: EndReason | None, *, is_doubt: bool = False) -> str:
    """Return in English why a record is no longer true, or with `is_doubt` why it is suspect; "" for None."""
    if reason is None:
        return ""
    values = ", ".join(map(str, reason.values))
    match reason.kind:
        case EndKind.CITED_CHANGED:
            return f"{values}, which it cites, has changed" if values else "what it cites has changed"
        case EndKind.PURGED:
            return f"purged: {values}" if values else "purged"
        case kind:
            words = _END_FORMS[kind].format(*reason.values)
            return f"what it cites was {words}" if is_doubt and kind not in _OF_CITED else words


def _counted(files: str | int) -> str:
    return f"{int(files):,} other file{'' if files == 1 else 's'}"


def _named(name: str | int) -> str:
    text = str(name) or "another record"
    return text if len(text) <= NAME_CHARS_MAX else text[: NAME_CHARS_MAX - 1] + "…"


def format_count(number: int, noun: str) -> str:
    """Return a number with a noun in singular or plural: `1 file`, `1,500 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(size: int) -> str:
    """Return a number of bytes with a decimal unit: `812 B`, `45.3 kB`, `25.1 MB`."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB"):
        size_in = size / (1e3 if unit == "kB" else 1e6)
        if size_in < 999.95:
            return f"{size_in:.1f} {unit}"
    return f"{size / 1e9:.1f} GB"


def describe_time(at_ns: int) -> str:
    """Return a time, nanoseconds since 1970, to the minute in UTC, as a person reads it."""
    return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"


def format_instant(at_ns: int) -> str:
    """Return a time, nanoseconds since 1970, in ISO form in UTC, to the second."""
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")


def describe_as_of(as_of: AsOf) -> str:
    """Return in words what an answer was computed at, without names from outside clew."""
    when = f"commit {as_of.commit[:12]}, " if as_of.commit else ""
    return f"as of {when}{format_instant(as_of.at_ns) if as_of.at_ns else 'now'} (generation {as_of.generation})"


def missing_spans(as_of: AsOf) -> Spans:
    """Return a line for each thing of then that could not be read."""
    return (outside_span("".join(f"missing: {sentence}\n" for sentence in as_of.missing)),) if as_of.missing else ()


def as_of_to_json(as_of: AsOf) -> dict[str, object]:
    """Return what an answer was computed at as JSON; the instant is null for now."""
    return {
        "instant": format_instant(as_of.at_ns) if as_of.at_ns else None,
        "commit": as_of.commit or None,
        "branch": as_of.branch or None,
        "generation": as_of.generation,
        "missing": list(as_of.missing),
    }
