"""Reasons: why a record is shown, and why it is no longer true, as a kind with values.

`clew.records.wording` puts them into words for a reader; no code reads the words back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EndKind(StrEnum):
    """What ended a record, or happened to what a suspect one cites. The values are stored: a new word here needs a new kind."""

    READ_AGAIN = "read again"  # the same lines were read once more
    REPEATED = "repeated"  # a later output is the same
    CONTAINED = "contained"  # a later read shows the same lines and more
    CHANGED = "changed"  # a later read shows other lines
    EDITED = "edited"
    REWRITTEN = "rewritten"
    CHANGED_BY_COMMAND = "changed by command"
    CHANGED_BY_GIT = "changed by git"  # (git's subcommand)
    CHANGED_OUTSIDE = "changed outside"  # by something outside the session
    DELETED = "deleted"
    PUT_BACK = "put back"
    COMMIT_UNDONE = "commit undone"
    STASHED = "stashed"
    UNSTASHED = "unstashed"
    BRANCH_LEFT = "branch left"  # (branch that it was seen on, branch that was checked out)
    NOT_CHECKED = "not checked"  # a file that a passing check covers has changed
    NOT_CHECKED_ON = "not checked on"  # (branch)
    TARGET_DELETED = "target deleted"  # what a failing check covers is gone
    FIXED = "fixed"
    BROKEN = "broken"
    FAILED_AGAIN = "failed again"
    SAME_OUTPUT = "same output"  # run again
    OTHER_OUTPUT = "other output"
    COVERED = "covered"  # by a wider check that passed
    WORKED = "worked"  # what failed has worked since
    STEPS_CHANGED = "steps changed"  # of the agent's own list
    PLAN_REPLACED = "plan replaced"
    TRIED_AGAIN = "tried again"  # a dead end that was met once more
    RULE_REPEATED = "rule repeated"
    TAKEN_BACK = "taken back"  # a rule, by the user
    NOTE_RENEWED = "note renewed"
    COMPRESSED_AGAIN = "compressed again"
    PARTS_CHANGED = "parts changed"  # of a session that is compressed
    REPLACED = "replaced"  # by a newer version
    DROPPED = "dropped"  # its source no longer holds it
    SOURCE_GONE = "source gone"
    STATED = "stated"  # a producer said so, and no more
    CITED_CHANGED = "cited changed"  # (files)
    INPUTS_ENDED = "inputs ended"  # (how many, of how many records that it was made from)
    PURGED = "purged"  # (what the user gave as the reason)
    UNKNOWN = "unknown"  # there is no such record
    OTHER = "other"  # (words), as an earlier release stored them


@dataclass(frozen=True, slots=True)
class EndReason:
    """Why a record is no longer true, or may no longer be: a kind, and the values that the kind has."""

    kind: EndKind
    values: tuple[str | int, ...] = ()


class MatchKind(StrEnum):
    """Why a record was chosen for a packet, or what the reader should know about it."""

    NAMED = "named"  # the question spells out a name that it bears
    RECENTLY_NAMED = "recently named"  # recent work named it
    FRAME = "frame"  # a stack trace leads to this line of it
    FRAME_FILE = "frame file"  # a stack trace leads to its file
    PATH = "path"  # the question quotes its path
    LINE = "line"  # the question quotes this line of it
    VERBATIM = "verbatim"  # (words): it holds these words of the question, one behind the other
    TOUCHED = "touched"  # the session just read or edited its file
    IN_SESSION = "in session"  # (how): the session touched its file, at any time
    EXPECTED = "expected"  # (percent): so likely the session goes on with its file
    COMMIT = "commit"  # a commit that speaks of the question changed its file
    WORDS = "words"  # it holds these words of the question
    TASK_WORDS = "task words"  # it holds these words of what the session is working on
    USES = "uses"  # (how, name): it uses what is shown because of the question
    USED_BY = "used by"  # (how, name): such a record uses it
    CONTAINS = "contains"  # it contains such a record
    COUPLED = "coupled"  # (kind of edge, name): a stored edge leads to such a record
    FILE = "file"  # its file matches
    TWIN = "twin"  # (path): it plays the same part in a parallel folder
    TIER = "tier"  # it was moved to this tier
    ENDED = "ended"  # (by): it is no longer true
    SUSPECT = "suspect"  # something happened to what it cites
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
    PINNED = "pinned"  # by the user, by hand
    LAST_ACTION = "last action"  # it is one of the last of the turn
    NEEDED_AGAIN = "needed again"  # so many uses of lines like these are expected, in words
    OF_KIND = "of kind"
    REST_ENDED = "rest ended"  # only lines that still hold are shown
    COMPRESSED = "compressed"  # a model's words, of this kind of record
    # Of a file that may have to change with a target.
    CHANGED_WITH = "changed with"  # (in so many, of so many commits)
    RENAMED_SINCE = "renamed since"  # they changed together while one had another name
    EDITED_WITH = "edited with"  # in sessions
    TESTS_TARGET = "tests target"
    TESTED_BY_TARGET = "tested by target"
    IMPORTS_TARGET = "imports target"
    IMPORTED_BY_TARGET = "imported by target"
    USES_TARGET = "uses target"  # (how)
    USED_BY_TARGET = "used by target"  # (how)
    SIGNATURE_CHANGED = "signature changed"  # (name) of what it uses, when the target last changed
    SHARED_LITERAL = "shared literal"  # (text)
    SHARED_NAME = "shared name"  # (name)
    SAME_NAME = "same name"
    LIKE_NAME = "like name"
    SAME_FOLDER = "same folder"
    PROPOSED = "proposed"  # (kind of a stored edge)
    ALIKE = "alike"  # (function of the target, its own function): alike in rare words and history
    THOUGHT = "thought"  # (what a model said of two functions, with its name)


@dataclass(frozen=True, slots=True)
class MatchReason:
    """One reason why a record is shown: its kind, and the values that the kind takes (words, a name, a line number).

    end  why the record ended or is suspect, for the kinds ENDED, SUSPECT and REST_ENDED.
    """

    kind: MatchKind
    values: tuple[str | int, ...] = ()
    end: EndReason | None = None


class RemarkKind(StrEnum):
    """What an answer says of the question itself, beside what it found."""

    NO_SUCH_NAME = "no such name"  # (the name, the nearest names that exist)
    NO_SUCH_PATH = "no such path"  # (the path, the nearest paths that exist)
    NOT_READ = "not read"  # (path, why): the text of a file that was asked for is not indexed
    FRAMES_OUTSIDE = "frames outside"  # (path:line of some): frames of a trace that are no files of the repository
    MINIFIED_FRAMES = "minified frames"  # (path:line of some): lines of minified files, which are no lines of a source
    NO_EVIDENCE = "no evidence"  # (words that are nowhere): nothing was found
    LITTLE_EVIDENCE = "little evidence"  # (words that are nowhere): no record holds more than a small share of the question


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about the question: its kind, the values that the kind takes, and how many there are where only some are listed."""

    kind: RemarkKind
    values: tuple[str, ...] = ()
    count: int = 0
