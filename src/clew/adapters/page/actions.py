"""Long actions: run a function that takes seconds to minutes in a process of its own, show how far it is, and let the user cancel it.

The process is at low priority, so that hooks are answered first, and may start others (`clew.pool`). It is killed when it is cancelled, and
ends with the daemon; so its function must leave nothing half done, as the store's transactions do not. What it returned is held in memory.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias, cast

from clew.adapters.page.render import link
from clew.errors import ClewError, UsageError
from clew.pool import end_with_parent

RUNNING_MAX = 1  # at a time: the machine is the user's, who works on it
KEPT_MAX = 12  # actions whose results are held; the oldest go first. Guess
NICENESS = 10

Report: TypeAlias = Callable[[int, int], None]
"""Tells that so many of so many steps are done."""
Work: TypeAlias = Callable[[Any, Report], Any]
"""A module-level function: an argument and a Report → the result. Both are sent between processes, so both can be pickled."""


class ActionState(Enum):
    """Where a long action is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(slots=True)
class Action:
    """One long action.

    kind   of action, such as "eval"; key  what distinguishes it from others of its kind; address  of the view that shows it.
    done, total  steps; total 0 while it is not known.
    result  what its function returned, once it is DONE. problem  why it FAILED, a sentence.
    """

    id: str
    kind: str
    key: str
    title: str
    address: str
    state: ActionState = ActionState.RUNNING
    done: int = 0
    total: int = 0
    result: Any = None
    problem: str = ""
    started_s: float = 0.0
    ended_s: float = 0.0
    process: SpawnProcess | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state is ActionState.RUNNING

    def as_event(self) -> dict[str, object]:
        """Return what a page that follows it needs to know."""
        return {"state": self.state.value, "done": self.done, "total": self.total}


class LongActions:
    """The long actions of one daemon. Thread-safe."""

    def __init__(self, on_error: Callable[[str, BaseException | str], None]) -> None:
        """Report defects of an action's function to `on_error` with where they occurred."""
        self._on_error = on_error
        self._lock = threading.Lock()
        self._actions: OrderedDict[str, Action] = OrderedDict()
        self._is_closed = False

    def start(self, kind: str, key: str, work: Work, argument: Any, *, title: str, address: str) -> Action:
        """Start `work(argument, report)` in a process of its own, and return its action; the running one where it is the same.

        title    what is being done, for the user; address  of the view that shows it, to which `run=ID` is added.

        Raises UsageError while RUNNING_MAX others run, and after `close`.
        """
        with self._lock:
            running = [each for each in self._actions.values() if each.is_running]
            same = next((each for each in running if (each.kind, each.key) == (kind, key)), None)
            if same is not None:
                return same
            if self._is_closed or len(running) >= RUNNING_MAX:
                what = f"“{running[0].title}” is running" if running else "the daemon is stopping"
                raise UsageError(f"{what}\nhint: cancel it, or wait until it has ended")
            action_id = secrets.token_hex(8)
            action = Action(action_id, kind, key, title, link(address, run=action_id), started_s=time.time())
            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe(duplex=False)
            action.process = context.Process(target=_run, args=(there, work, argument))
            action.process.start()
            there.close()
            self._actions[action.id] = action
            for old in [each.id for each in self._actions.values() if not each.is_running][: max(0, len(self._actions) - KEPT_MAX)]:
                del self._actions[old]
            following = threading.Thread(
                target=self._follow,
                args=(action, action.process, cast("Connection", here)),
                name=f"action {kind}",
                daemon=True,
            )
        following.start()
        return action

    def find(self, action_id: str) -> Action | None:
        """Return the action with this id; None where there is none, or none any more."""
        with self._lock:
            return self._actions.get(action_id)

    def find_latest(self, kind: str, *, is_done: bool = False) -> Action | None:
        """Return the action of this kind that was started last, or the last that is DONE; None where there is none."""
        with self._lock:
            found = [each for each in self._actions.values() if each.kind == kind]
        return next((each for each in reversed(found) if not is_done or each.state is ActionState.DONE), None)

    def cancel(self, action_id: str) -> Action | None:
        """Kill the process of a running action and return it; one that has ended stays as it is. None for an unknown one."""
        with self._lock:
            action = self._actions.get(action_id)
            if action is not None and action.is_running:
                _end(action, ActionState.CANCELLED)
        return action

    def close(self) -> None:
        """Cancel what runs, and start nothing more."""
        with self._lock:
            self._is_closed = True
            for action in self._actions.values():
                if action.is_running:
                    _end(action, ActionState.CANCELLED)

    def _follow(self, action: Action, process: SpawnProcess, connection: Connection) -> None:
        """Take what the process tells, and see it end."""
        with connection:
            self._take(action, connection)
        process.join()

    def _take(self, action: Action, connection: Connection) -> None:
        """Take what the process tells until the action has ended."""
        what: str
        told: Any
        while action.is_running:
            try:
                what, told = cast("tuple[str, Any]", connection.recv())
            except (EOFError, OSError):
                what, told = "failed", "its process was ended by something else"
            except Exception as error:  # noqa: BLE001 - a result that cannot be read here: the page says so
                self._on_error("page", error)
                what, told = "failed", f"its result cannot be read ({type(error).__name__})"
            with self._lock:
                if not action.is_running:
                    return
                if what == "step":
                    action.done, action.total = told
                elif what == "done":
                    action.result = told
                    _end(action, ActionState.DONE)
                else:
                    action.problem = str(told).partition("\n")[0]
                    _end(action, ActionState.FAILED)
            if what == "defect":
                self._on_error("page", str(told))


def _end(action: Action, state: ActionState) -> None:
    action.state, action.ended_s = state, time.time()
    if action.process is not None:
        action.process.kill()
        action.process = None


def _run(connection: Connection, work: Work, argument: Any) -> None:
    """What the process does: the work, at low priority, and what came of it."""
    threading.Thread(target=end_with_parent, name="end with parent", daemon=True).start()
    with suppress(OSError, AttributeError):  # no such thing on this system
        os.nice(NICENESS)
    try:
        connection.send(("done", work(argument, lambda done, total: connection.send(("step", (done, total))))))
    except (EOFError, ConnectionError):  # nobody is left who waits for it
        return
    except (ClewError, OSError) as error:
        connection.send(("failed", str(error)))
    except Exception as error:  # noqa: BLE001 - the reader of the page and of the journal see it
        connection.send(("defect", f"clew failed here ({type(error).__name__})\n{''.join(traceback.format_exception(error))}"))
