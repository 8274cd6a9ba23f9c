"""Ask clew's daemon over its private socket, within a time that the caller names. Imported by `clew_hook`, `clew_mcp` and `clew_relay`.

Nothing is sent before the peer's user id, as the kernel gives it, is this process's own. Where nobody listens the daemon is started in
the background. A daemon that does not answer in time is noted in the file `fault` beside the socket, and is not asked again until the
note has run out or the daemon has taken it away, which it does when it answers. Standard library alone, and little of it: a session waits
for every millisecond here.
"""

import _socket
import posix
import sys
import time

# Seconds that a caller waits at most, from its own start to the answer. A compaction replaces a model's summary, which takes a minute.
TIMEOUTS_S = {
    "hook/UserPromptSubmit": 0.15, "mod/prompt": 0.15, "hook/PostToolUse": 0.3, "mod/append": 0.3, "hook/SessionStart": 1.0,
    "mod/hello": 0.3, "mod/compact": 9.0, "statusline": 0.3,
}  # fmt: skip
DEFAULT_TIMEOUT_S = 0.3
START_S = 0.03  # of the time above that has passed when this runs: an interpreter's start, measured at 13 to 20 ms
# A route that may take long is asked only after the daemon has answered a small request within this time.
LONG_S, ALIVE_WITHIN_S = 1.5, 0.25
STARTS_WITHIN_S = 6.0  # of a daemon that was started just now; it needs 0.6 s on a quiet machine
# Seconds for which a fault is left alone: from the first, doubled with each that follows, to the last. Guesses.
FAULT_S, FAULT_MAX_S = 30.0, 300.0
STARTING_S, STARTING_MAX_S = 3.0, 300.0


class Unreachable(Exception):
    """Raised when the daemon cannot be asked now; `reason` is a key of REASONS."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


REASONS = {
    "left alone": "it did not answer lately, and is left alone for a while",
    "removed": "clew was uninstalled",
    "read-only": "its data folder cannot be written",
    "not there": "it was not there and is being started",
    "a stranger": "somebody else listens in its place; nothing was sent",
    "late": "it did not answer in time",
}


def post(path, route, body, command=(), headers=(), timeout_s=None, waits=False):
    """Return the body of the daemon's answer to a POST; b"" for any status but 200. Raises Unreachable.

    path       the daemon's socket.  route  such as "hook/Stop".  headers  lines without line ends.
    command    starts the daemon where nothing listens; () starts nothing.
    timeout_s  in place of the route's own time.
    waits      wait for a daemon that starts, within the time.
    """
    until = time.monotonic() + (TIMEOUTS_S.get(route, DEFAULT_TIMEOUT_S) - START_S if timeout_s is None else timeout_s)
    noted, _, why = read_fault(path)
    is_noted = 0 < noted - time.time() <= FAULT_MAX_S
    if is_noted and why != "starting":
        raise Unreachable("left alone")
    if is_noted:
        command = ()  # it has just been started, and is not started again
    is_alive = False
    try:
        if until - time.monotonic() > LONG_S:
            over = _connect(path, command, until, waits)
            _exchange(over, "GET", "health", b"", (), time.monotonic() + (STARTS_WITHIN_S if _starts(path) else ALIVE_WITHIN_S))
            is_alive = True
        status, answer = _exchange(_connect(path, command, until, waits), "POST", route, body, headers, until)
    except TimeoutError:
        # What takes long may take too long while the daemon is well, and one that starts comes to this question in its turn.
        if not is_alive and not _starts(path):
            _record_fault(path, "late", FAULT_S, FAULT_MAX_S)
        raise Unreachable("late") from None
    except OSError:  # it ended in the middle of the answer: where its supervisor ended as well, nothing else would start it
        if command:
            _start(path, command)
        raise Unreachable("not there") from None
    return answer if status == b"200" else b""


def _exchange(over, method, route, body, headers, until):
    """Status and body of an answer. Raises TimeoutError, OSError."""
    head = [f"{method} /{route} HTTP/1.0", "host: localhost", "content-type: application/json", *headers, f"content-length: {len(body)}"]
    parts = []
    try:
        _wait(over, until)
        over.sendall("\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + body)
        while True:
            _wait(over, until)
            part = over.recv(65536)
            if not part:
                break
            parts.append(part)
    finally:
        over.close()
    head, _, answer = b"".join(parts).partition(b"\r\n\r\n")
    return head.split(b" ", 2)[1:2][0] if b" " in head else b"", answer


def _wait(over, until):
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    over.settimeout(left)


def _connect(path, command, until, waits):
    """Return a connection to this user's daemon, started if necessary. Raises Unreachable, TimeoutError."""
    made = _try_connect(path, until)
    if made is not None:
        return made
    if command:
        _start(path, command)
    until = min(until, time.monotonic() + STARTS_WITHIN_S)
    while waits and time.monotonic() + 0.05 < until:
        time.sleep(0.02)  # the socket appears when it is bound: nothing tells of that
        made = _try_connect(path, until)
        if made is not None:
            return made
    raise Unreachable("not there")


def _try_connect(path, until):
    """Return a connection, None where nothing listens. Raises Unreachable for a listener of another user, TimeoutError."""
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _wait(made, until)
        made.connect(path)
        if read_peer_uid(made) != posix.geteuid():
            raise Unreachable("a stranger")
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError, PermissionError):
        made.close()
        return None
    except BaseException:
        made.close()
        raise
    return made


def read_peer_uid(over):
    """Return the user id of the process at the other end of a Unix socket, -1 on systems that do not tell it."""
    if sys.platform == "linux":
        told = over.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
    elif sys.platform == "darwin":
        told = over.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED: version, uid, groups
    else:
        return -1
    return int.from_bytes(told[4:8], sys.byteorder)


def _start(path, command):
    """Start the daemon detached from this process. Raises Unreachable where clew is removed or its folder is read-only."""
    home = path.rpartition("/")[0]
    if not _is_installed():
        raise Unreachable("removed")
    if posix.access(home, 0) and not posix.access(home, 2):
        raise Unreachable("read-only")
    _record_fault(path, "starting", STARTING_S, STARTING_MAX_S)
    child = posix.fork()
    if child == 0:
        try:
            posix.setsid()
            nothing = posix.open("/dev/null", posix.O_RDWR)
            for number in (0, 1, 2):
                posix.dup2(nothing, number)
            if posix.fork() == 0:
                posix.execv(command[0], command)
        finally:
            posix._exit(0)
    posix.waitpid(child, 0)


def _is_installed():
    """Return whether this script still exists: `clew uninstall` deletes it."""
    try:
        posix.stat(__file__)
    except OSError:
        return False
    return True


# -- Faults -----------------------------------------------------------------------------------------


def read_fault(path):
    """Return until when not to ask the daemon (seconds since the epoch), for how long that was, and why; (0, 0, "") without a fault."""
    try:
        number = posix.open(path.rpartition("/")[0] + "/fault", posix.O_RDONLY)
    except OSError:
        return 0.0, 0.0, ""
    try:
        until, seconds, why = posix.read(number, 200).decode("utf-8", "replace").split(" ", 2)
        return float(until), float(seconds), why.strip()
    except ValueError:  # it was cut short by a full disk
        return 0.0, 0.0, ""
    finally:
        posix.close(number)


def _starts(path):
    """Return whether the daemon was started a moment ago, by its own fault file or that of another caller."""
    until, _, why = read_fault(path)
    return why == "starting" and until > time.time()


def _record_fault(path, why, first_s, last_s):
    before = read_fault(path)
    seconds = min(last_s, before[1] * 2 if before[2] == why else first_s)
    try:
        number = posix.open(path.rpartition("/")[0] + "/fault", posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o600)
        posix.write(number, f"{time.time() + seconds:.3f} {seconds:.3f} {why}\n".encode())
        posix.close(number)
    except OSError:  # a folder that is gone or full: the next caller waits as well
        pass


def record_problem(path, where, what, kind=""):
    """Add a line to `problems.jsonl` beside the socket, for `clew doctor`. Never raises, and makes no folder."""
    line = '{"at": %d, "where": "%s", "what": "%s", "kind": "%s"}\n' % (time.time(), where, what, kind)
    try:
        number = posix.open(path.rpartition("/")[0] + "/problems.jsonl", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, 0o600)
        posix.write(number, line.encode())
        posix.close(number)
    except OSError:
        pass
