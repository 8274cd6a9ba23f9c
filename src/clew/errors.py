"""All errors that clew raises on purpose. Each holds its values, and its text ends with a hint.

The command line prints the text and exits with `exit_code`, without a stack trace. Any other exception is a defect.
"""

from __future__ import annotations

from pathlib import Path

from clew import __version__


class ClewError(Exception):
    """Base class of all errors that clew raises on purpose; its text tells a person or an agent what to do."""

    exit_code = 1


class UsageError(ClewError):
    """Base class of errors in what the caller passed: an argument, an option or a setting."""

    exit_code = 2


class UnknownTokenizer(UsageError):
    """Raised where a tokenizer is named that no token counter knows."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name, self.known = name, known
        super().__init__(f"tokenizer {name!r} is not known\nhint: use one of {', '.join(known)}, or a model's full name")


class StoreError(ClewError):
    """Base class of errors of the store: its database cannot be opened, read or written."""

    exit_code = 3


class SchemaTooNew(StoreError):
    """Raised where the database was written by a newer release than this one. Nothing was changed."""

    def __init__(self, path: Path | str, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path}: schema {found} is newer than {known}, the newest that clew {__version__} knows; it was left as it is\n"
            "hint: upgrade clew (`pip install --upgrade clew`, or as you installed it), then `clew init`; "
            "or point CLEW_HOME at another folder"
        )


class StoreUnusable(StoreError):
    """Raised where the database file is damaged, or is not a database of clew.

    is_repairable  whether `clew repair` can help; False where `hint` names another way out.
    """

    def __init__(self, path: Path | str, reason: str, hint: str = "") -> None:
        self.path, self.reason, self.is_repairable = path, reason, not hint and isinstance(path, Path)
        if not hint:
            of_server = "restore the server's own backup, or import an export into an empty database"
            hint = "`clew repair` sets it aside, and recovers what can be recovered" if isinstance(path, Path) else of_server
        super().__init__(f"{path}: {reason}\nhint: {hint}")


class StoreBusy(StoreError):
    """Raised where another process has held the store's write lock for longer than `waited_s`."""

    def __init__(self, path: Path | str, waited_s: float) -> None:
        self.path, self.waited_s = path, waited_s
        super().__init__(f"{path}: still locked by another writer after {waited_s:.0f} s\nhint: try again when it ends")


class StoreUnwritable(StoreError):
    """Raised where the disk refuses a write: full, read-only, or not permitted. Nothing of the call was stored."""

    def __init__(self, path: Path | str, reason: str, hint: str = "") -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path}: cannot be written ({reason}); nothing of this call was stored\n"
            f"hint: {hint or 'free some space, or point CLEW_HOME at a folder that can be written'}"
        )


class StoreUnreachable(StoreError):
    """Raised where the database server cannot be reached, refuses the user, or was lost in the middle of a call.

    is_lost  a connection that was there was lost: unless it was answered, nobody knows whether the call was stored.
    """

    def __init__(self, place: str, reason: str, *, is_lost: bool = False) -> None:
        self.path, self.reason, self.is_lost = place, reason, is_lost
        hint = (
            "make the call again; what had been stored is not stored twice"
            if is_lost
            else "is the server running, and are address, user and database right? The password stands in PGPASSWORD or ~/.pgpass"
        )
        super().__init__(f"{place}: {reason}\nhint: {hint}")


class BadStoreAddress(UsageError):
    """Raised where the setting `store` is no address of a server. The address is not repeated, because it may hold a password."""

    def __init__(self) -> None:
        super().__init__("store: the address cannot be read\nhint: postgresql://user@host:5432/database, and %40 for an @ in a name")


class NotForServer(UsageError):
    """Raised where a command is for the database file of one machine, and the store is on a server."""

    def __init__(self, hint: str) -> None:
        super().__init__(f"this command is for the database file of one machine, and the setting `store` names a server\nhint: {hint}")


class ServerNotInstalled(StoreError):
    """Raised where the setting `store` names a server and the extra that speaks to it is not installed."""

    def __init__(self, place: str) -> None:
        self.path = place
        super().__init__(f"{place}: clew has nothing here that speaks to a PostgreSQL server\nhint: pip install 'clew[server]'")


class StoreClosed(StoreError):
    """Raised where a store is used after it was closed."""

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = path
        super().__init__(f"{path or 'the store'}: is closed\nhint: open it again")


class UnknownWorkspace(StoreError):
    """Raised where records are written to a workspace that the store does not have."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        super().__init__(f"workspace {workspace!r} does not exist in this store\nhint: open_workspace makes it")


class InvalidDelta(StoreError):
    """Raised where a delta (a change proposed to the store) contradicts itself, a defect of its producer. Nothing was stored."""

    def __init__(self, source: str, by: str, reason: str) -> None:
        self.source, self.by, self.reason = source, by, reason
        super().__init__(f"delta of {source!r} by {by!r}: {reason}\nhint: this is a defect of the producer; please report it")


class InvalidExport(ClewError):
    """Raised where an export is damaged, contradicts itself, or is of a newer format. Nothing of it was stored."""

    def __init__(self, reason: str, hint: str = "export it again, and copy it whole") -> None:
        self.reason = reason
        super().__init__(f"the export cannot be imported: {reason}; nothing was stored\nhint: {hint}")


class PurgeUnfinished(StoreError):
    """Raised where records were erased, but their old bytes may remain in a file beside the database."""

    def __init__(self, path: Path | str, reason: str, hint: str = "end other clew processes") -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: purged, but old bytes may remain: {reason}\nhint: {hint} and purge again")


class NotCalibrated(ClewError):
    """Raised where a level to keep is asked for that the user's measured sessions cannot back."""

    def __init__(self, level: float, cuts: int, needed: int) -> None:
        self.level, self.cuts, self.needed = level, cuts, needed
        found = f"{cuts:,} cut{'' if cuts == 1 else 's'} of sessions measured"
        why = f"not enough sessions: {found}, at least {needed:,} are needed" if cuts < needed else f"{found}: even all lines keep less"
        super().__init__(
            f"{100 * level:.4g} % cannot be promised: {why}\nhint: `clew eval --keep {100 * level:.4g}%` measures more sessions"
        )


class UnknownHandle(ClewError):
    """Raised where a handle belongs to no record of the workspace, or to several: `candidates` are their handles."""

    exit_code = 4

    def __init__(self, handle: str, candidates: tuple[str, ...] = ()) -> None:
        self.handle, self.candidates = handle, candidates
        hint = f"it could mean {', '.join(candidates)}" if candidates else "handles are printed in packets; `clew retrieve` makes one"
        super().__init__(f"handle {handle!r} is not known here\nhint: {hint}")


class UnknownPath(ClewError):
    """Raised where no indexed file of the repository has this path, or the file has no such symbol. `why` says why it was not read."""

    exit_code = 4

    def __init__(self, name: str, why: str = "") -> None:
        self.name, self.why = name, why
        hint = "name a file of the repository, or path::symbol; `clew index` reads new files"
        super().__init__(f"{name!r} was not read, because {why}" if why else f"{name!r} is not indexed here\nhint: {hint}")


class OriginalPurged(ClewError):
    """Raised where the original text of a record is asked for that was erased by `purge`."""

    exit_code = 4

    def __init__(self, handle: str, reason: str) -> None:
        self.handle, self.reason = handle, reason
        super().__init__(f"{handle}: was purged ({reason or 'no reason given'}) and cannot be brought back")


class UnknownRecord(UsageError):
    """Raised where a transcript has no record of this id or line."""

    def __init__(self, record: str, lines: int) -> None:
        self.record, self.lines = record, lines
        super().__init__(f"record {record!r} is not in this transcript\nhint: name a record's uuid, or a line from 0 to {lines}")


class UnknownMoment(UsageError):
    """Raised where what an answer is wanted as of is no time, and no commit or branch of the repository."""

    def __init__(self, text: str, reason: str) -> None:
        self.text, self.reason = text, reason
        super().__init__(f"as of {text!r}: {reason}\nhint: a date (2026-11-02), a time (2026-11-02T14:30), a commit, or a branch")


class NothingStored(UsageError):
    """Raised where something is asked as of a time before the first that was stored of the repository; `first` is that in words."""

    def __init__(self, text: str, first: str) -> None:
        self.text, self.first = text, first
        since = f"the first is of {first}" if first else "nothing is stored of it now either"
        super().__init__(
            f"as of {text}: nothing had been stored of this repository by then; {since}\n"
            "hint: a commit or a branch is answered from git, whenever it was made"
        )


class NothingSaid(UsageError):
    """Raised where a session is asked for as of a time before its first record, or before anything of it was stored."""

    def __init__(self, session: str, when: str) -> None:
        self.session, self.when = session, when
        super().__init__(f"session {session}: nothing of it was known at {when}\nhint: name a later time, or another session")


class NotReadable(ClewError):
    """Raised where a path cannot be opened, or its content is not what it should be."""

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}" + (f"\nhint: {hint}" if hint else ""))


class FolderNotIndexable(NotReadable):
    """Raised where a folder must not be indexed as a repository, because it is a home folder or one of the system."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason, "name the folder of a repository, or start the session in one")


class NoModel(UsageError):
    """Raised where a model is needed and none is named. Nothing was sent."""

    def __init__(self, reason: str = "no model is named, and nothing was sent", hint: str = "") -> None:
        self.reason = reason
        hint = hint or (
            "--model /path/to/model.gguf runs a file on this machine, http://localhost:11434/v1#NAME asks a local server (Ollama, "
            "llama.cpp, vLLM, LM Studio), anthropic#NAME the API; the setting `model` does the same for every call"
        )
        super().__init__(f"{reason}\nhint: {hint}")


class WorkTaken(ClewError):
    """Raised where another process does the same background work at this moment. Nothing was done."""

    exit_code = 1

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}: another process is at it\nhint: `clew models stop` ends background work; what it has made stays")


class BadModelName(UsageError):
    """Raised where the text that names a model is neither a path nor a URL, or leaves out what is needed."""

    def __init__(self, text: str, reason: str, wanted: str) -> None:
        self.text, self.reason = text, reason
        super().__init__(f"{text}: {reason}\nhint: {wanted}")


class BadEndpoint(UsageError):
    """Raised where the address of a model's server is malformed, or would send a key unencrypted."""

    def __init__(self, endpoint: str, reason: str) -> None:
        self.endpoint, self.reason = endpoint, reason
        super().__init__(
            f"{endpoint}: {reason}\nhint: https://HOST/v1, or http:// for this machine; a key stands in the environment as CLEW_MODEL_KEY"
        )


class ModelError(ClewError):
    """Base class of errors of a model, or of its server. What was stored before stays."""

    exit_code = 5

    @property
    def line(self) -> str:
        """The error without its hint."""
        return str(self).partition("\n")[0]


class BadModelFile(ModelError):
    """Raised where a model's file is missing, cannot be read, is no GGUF file, or is another one than was named."""

    def __init__(self, path: str, reason: str, hint: str = "is the path right?") -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}\nhint: {hint}")


class ModelsNotInstalled(ModelError):
    """Raised where a model's file is named and the extra that runs it is not installed."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: clew has nothing here that runs a model's file\nhint: pip install 'clew[models]', or name a server's URL"
        )


class ModelStopped(ModelError):
    """Raised where the process that runs a model's file has ended; `code` is its exit status, negative for a signal."""

    def __init__(self, path: str, code: int, said: str) -> None:
        self.path, self.code, self.said = path, code, said
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        hint = (
            "is there enough memory? `clew models` says what it needs"
            if code in {-9, -6, 137}
            else "`clew models --measure` tries it alone"
        )
        super().__init__(
            f"{path}: the process that runs it {how}{f': {said}' if said else ''}\nhint: {hint}; the same call goes on where this one ended"
        )


class StateNotKept(ModelError):
    """Raised where a model's state is not stored, and why; `is_lasting` where the next one would not be either."""

    def __init__(self, place: str, reason: str, hint: str = "", *, is_lasting: bool = False) -> None:
        self.place, self.reason, self.is_lasting = place, reason, is_lasting
        super().__init__(f"{place}: no state is kept: {reason}\nhint: {hint or 'each prompt is evaluated anew, as without clew'}")


class ModelUnreachable(ModelError):
    """Raised where the connection to a model's server fails, ends early, or takes too long."""

    def __init__(self, place: str, reason: str, hint: str = "") -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: {reason}\nhint: {hint or 'is the server running?'}; the same call goes on where this one ended")


class ModelRefused(ModelError):
    """Raised where a model's server answers with an HTTP status other than 200; `said` is its message, `tried` the number of attempts."""

    def __init__(self, place: str, status: int, said: str, tried: int) -> None:
        self.place, self.status, self.said, self.tried = place, status, said, tried
        hint = {
            400: "the server's words say why; --chunk-tokens makes requests smaller",
            401: "the key in the environment is not the one that this server asks for",
            403: "the key in the environment is not the one that this server asks for",
            404: "is the model's name right, and the address?",
            413: "--chunk-tokens makes requests smaller",
        }.get(status, "the same call goes on where this one ended")
        times = f" ({tried} times)" if tried > 1 else ""
        super().__init__(f"{place}: status {status}{times}{f': {said}' if said else ''}\nhint: {hint}")


class InvalidModelResponse(ModelError):
    """Raised where a model's server answers with something that its API does not define."""

    def __init__(self, place: str, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: the answer cannot be read: {reason}\nhint: is this the address of such an API?")


class ModelInputTruncated(ModelError):
    """Raised where a model's server read only the first `read` of `sent` tokens, as its context window is too small."""

    def __init__(self, place: str, read: int, sent: int) -> None:
        self.place, self.read, self.sent = place, read, sent
        super().__init__(
            f"{place}: only {read:,} of about {sent:,} tokens were read, so the answer was thrown away\n"
            "hint: give the server a larger context window, or make requests smaller with --chunk-tokens"
        )


class NoUsableAnswers(ModelError):
    """Raised where a model answered every request, and none of the answers could be used."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__("nothing that the model answered could be kept: " + "; ".join(reasons) + "\nhint: a larger model may do better")
