"""Keep the states of a model, so that the beginning of a prompt is evaluated once.

A state is what a model holds after it has read a prefix: 10 to 40 kB a token, which no other model can read. It is a file named by the
hash of all that it depends on (the weights, the program, the context's parameters, the token ids), beside a small one that says so. Its
tiers are two: a hot state has its bytes, an archived one only its token ids, of which the bytes are made again. The least recently used
are archived first where all together exceed the budget. Purging erases every state: their words are those of the prompts.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import xxhash

from clew.enrich.models.llama_server import Continuation, LlamaServer
from clew.errors import ModelRefused, StateNotKept
from clew.files import replace_file

FOLDER = "model_states"
TOKENS_MIN = 256  # a shorter prefix is evaluated in seconds on any machine that runs the model at all; guess
CHECK_TOKENS = 24  # that must be written alike from a restored state and from a fresh one
ANSWER_TOKENS_MAX = 256  # of an answer that is asked for on the command line
_BLOCK = 1 << 20


class ModelIdentity(msgspec.Struct, frozen=True):
    """All that a state depends on beside the token ids. `batch` is how many tokens the program evaluates at once."""

    sha256: str
    build: str
    quantisation: str
    context: int
    adapters: str
    batch: int


class StoredState(msgspec.Struct, frozen=True):
    """What is known of a stored state.

    id        hash of the identity and the token ids.
    tail      ids of the prefix that follow `tokens`, which end where a batch does.
    size      bytes of the state; 0 once it is archived.
    digest    of these bytes.
    is_checked  whether a restored state wrote the same as a fresh one.
    """

    id: str
    model: str
    identity: ModelIdentity
    tokens: list[int]
    tail: list[int]
    size: int
    digest: str
    is_checked: bool
    prefill_s: float
    used_at_ns: int

    @property
    def tier(self) -> str:
        """`hot` with its bytes, else `archived`."""
        return "hot" if self.size else "archived"


class ModelStates:
    """The stored states of a data folder.

    home       clew's data folder.
    bytes_max  of all states together; 0 stores none.
    """

    def __init__(self, home: Path, bytes_max: int) -> None:
        self.folder, self._bytes_max = home / FOLDER, bytes_max

    def make_folder(self) -> None:
        """Make the folder, which no other user can look into: a server that is to write there has to find it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def states(self) -> list[StoredState]:
        """Return all states, the last used first. What cannot be read is passed over."""
        found: list[StoredState] = []
        for path in sorted(self.folder.glob("*.json")):
            with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found.append(msgspec.json.decode(path.read_bytes(), type=StoredState))
        return sorted(found, key=lambda state: (-state.used_at_ns, state.id))

    def find(self, identity: ModelIdentity, tokens: Sequence[int]) -> StoredState | None:
        """Return the longest state of this model with which `tokens` begin, None where there is none."""
        known = (state for state in self.states() if state.identity == identity and list(tokens[: len(state.tokens)]) == state.tokens)
        return max(known, key=lambda state: (len(state.tokens), state.id), default=None)

    def load(self, server: LlamaServer, state: StoredState, *, slot: int) -> bool:
        """Put a stored state into the server's slot. Return whether the slot holds it now: not where its bytes are gone or damaged."""
        path = self._bytes_path(state.id)
        if not state.size or _digest(path) != state.digest:
            return False
        try:
            server.restore(slot, path.name)
        except ModelRefused:  # a build that reads it no longer under the name of one that did
            self._archive([state])
            return False
        self._write(msgspec.structs.replace(state, used_at_ns=time.time_ns()))
        return True

    def store(
        self, server: LlamaServer, identity: ModelIdentity, tokens: Sequence[int], *, model: str, slot: int, is_checked: bool
    ) -> StoredState:
        """Evaluate the beginning of `tokens` that ends with a batch, and store the state. The slot holds it afterwards.

        is_checked  also let the model go on from a fresh and from the restored state; where it writes something else, nothing is stored.
        Raises      StateNotKept, also for a prefix shorter than TOKENS_MIN and a state larger than the budget; ModelError, OSError.
        """
        length = len(tokens) // identity.batch * identity.batch
        if length < TOKENS_MIN:
            raise StateNotKept(server.place, f"{length} tokens are evaluated as quickly as a state is read", f"save {TOKENS_MIN} or more")
        head, tail = list(tokens[:length]), list(tokens[length:])
        probe = [*head, *(tail[:16] or head[-8:])]
        fresh = server.complete(probe, slot=slot, tokens_max=CHECK_TOKENS, is_fresh=True) if is_checked else None
        evaluated = server.complete(head, slot=slot, tokens_max=0, is_fresh=True)
        name = make_state_id(identity, head)
        self.make_folder()
        part = self.folder / f"{name}.{os.getpid()}.part"
        try:
            server.save(slot, part.name)
            if not part.is_file():
                raise StateNotKept(
                    server.place, "it writes states to another folder", f"start it with --slot-save-path {self.folder}/", is_lasting=True
                )
            if fresh is not None and not self._goes_on_alike(server, part, probe, fresh, slot=slot, length=length):
                raise StateNotKept(server.place, "from the restored state the model writes something else", is_lasting=True)
            size, digest = part.stat().st_size, _digest(part)
            if size > self._bytes_max:
                raise StateNotKept(server.place, f"the state has {size:,} bytes", "raise the setting `model_states_mb`")
            part.replace(self._bytes_path(name))
        finally:
            part.unlink(missing_ok=True)
        now = time.time_ns()
        state = StoredState(name, model, identity, head, tail, size, digest, is_checked, round(evaluated.prompt_s, 3), now)
        self._write(state)
        self._keep_budget()
        return state

    def archive_idle(self, *, used_before_ns: int) -> int:
        """Archive the states that were last used before a time; return how many."""
        idle = [state for state in self.states() if state.size and state.used_at_ns < used_before_ns]
        self._archive(idle)
        return len(idle)

    def erase(self) -> int:
        """Erase every state, also archived ones; return how many there were. Raises OSError where a file cannot be erased."""
        erased = len(list(self.folder.glob("*.json")))
        for path in sorted(self.folder.glob("*")):
            path.unlink(missing_ok=True)
        return erased

    def _goes_on_alike(self, server: LlamaServer, part: Path, probe: Sequence[int], fresh: Continuation, *, slot: int, length: int) -> bool:
        """Whether the model writes the same from the file's state. If so the slot holds just that state afterwards, else nothing."""
        server.restore(slot, part.name)
        again = server.complete(probe, slot=slot, tokens_max=CHECK_TOKENS, is_fresh=False)
        server.erase(slot)
        if again.reused != length or again.tokens != fresh.tokens:
            return False
        server.restore(slot, part.name)
        return True

    def _keep_budget(self) -> None:
        total, surplus = 0, list[StoredState]()
        for state in self.states():
            total += state.size
            if state.size and total > self._bytes_max:
                surplus.append(state)
        self._archive(surplus)

    def _archive(self, states: Iterable[StoredState]) -> None:
        for state in states:
            self._write(msgspec.structs.replace(state, size=0, digest=""))
            self._bytes_path(state.id).unlink(missing_ok=True)

    def _bytes_path(self, name: str) -> Path:
        return self.folder / f"{name}.state"

    def _write(self, state: StoredState) -> None:
        replace_file(self.folder / f"{state.id}.json", msgspec.json.encode(state))


def make_state_id(identity: ModelIdentity, tokens: Sequence[int]) -> str:
    """Return the hash of all that a state depends on."""
    return hashlib.sha256(msgspec.json.encode([identity, list(tokens)])).hexdigest()


def render_rest(server: LlamaServer, prompt: str) -> list[int]:
    """Return the tokens that follow a stored prefix where the user asks `prompt`: the words, and what the template puts behind them."""
    mark = "Alpha"
    whole = server.render({"messages": [{"role": "system", "content": "-"}, {"role": "user", "content": mark}]})
    return server.continue_tokens(prompt + whole.rpartition(mark)[2])


def _digest(path: Path) -> str:
    """Hash of a file's bytes, "" where it cannot be read."""
    digest = xxhash.xxh3_128()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
