"""Reasons: why a record is shown, as a kind with values. Edges put them into words; nobody reads the words back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MatchKind(StrEnum):
    """What speaks for a record, and what is to be said of it beside that."""

    NAMED = "named"  # the question spells out a name that it bears
    RECENTLY_NAMED = "recently named"  # recent work named it
    FRAME = "frame"  # a stack trace leads to this line of it
    FRAME_FILE = "frame file"  # a stack trace leads to its file
    PATH = "path"  # the question quotes its path
    LINE = "line"  # the question quotes this line of it
    TOUCHED = "touched"  # the session just read or edited its file
    COMMIT = "commit"  # a commit that speaks of the question changed its file
    WORDS = "words"  # it holds these words of the question
    USES = "uses"  # (how, name): it uses what is shown because of the question
    USED_BY = "used by"  # (how, name): such a record uses it
    CONTAINS = "contains"  # it contains such a record
    COUPLED = "coupled"  # (kind of edge, name): a stored edge leads to such a record
    FILE = "file"  # its file matches
    TIER = "tier"  # it was moved to this tier
    ENDED = "ended"  # (why, by): it is no longer true
    SUSPECT = "suspect"  # what it was derived from has changed, for this reason
    FILE_CHANGED = "file changed"  # its file was written after it was remembered
    FILE_GONE = "file gone"  # its file is no longer there
    README = "readme"
    ENTRY_POINT = "entry point"  # a program or a package begins here
    USERS = "users"  # so many other files use it
    USES_MANY = "uses many"  # it uses something of so many other files
    ALONE = "alone"  # no other file uses it, and it uses none
    INTERNAL = "internal"  # it is used in its own file, or by tests
    TIME = "time"  # it is of the time that the question asks for
    BESIDE = "beside"  # its neighbours hold the question's words
    RENEWED = "renewed"  # (by, sentence): it was said anew
    USER_WORDS = "user words"
    NEEDED_AGAIN = "needed again"  # so many uses of lines like these are expected, in words
    OF_KIND = "of kind"
    REST_ENDED = "rest ended"  # only lines that still hold are shown: why the rest does not
    COMPRESSED = "compressed"  # a model's words, of this kind of record


@dataclass(frozen=True, slots=True)
class MatchReason:
    """Why a record is shown: a kind, and the values that the kind has."""

    kind: MatchKind
    values: tuple[str | int, ...] = ()
