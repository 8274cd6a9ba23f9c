"""Hook: hands what Claude Code says on standard input to clew's daemon, and prints what the daemon answers.

    python -I -S clew_hook.py SOCKET ROUTE [START_WITHIN_S COMMAND...]

Imports nothing of clew and nothing slow, because every millisecond here is waited for. Where nobody listens, COMMAND starts the
daemon and its answer is awaited for START_WITHIN_S at most. Whatever happens it exits with 0, so that the session goes on; what was
missed is a line in `problems.jsonl` beside the socket, for `clew doctor`.
"""

import _socket
import posix
import sys

# Seconds that the answer is awaited, a little more than the daemon takes at most: one that hangs holds nobody longer.
WITHIN_S = {"hook/SessionStart": 5.0, "hook/PreCompact": 13.0, "statusline": 1.0}
WITHIN_OTHER_S = 2.0


def connected(path):
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        made.connect(path)
    except OSError:
        made.close()
        return None
    return made


def started(path, within_s, command):
    """Start the daemon as nobody's child, and wait until it listens. None when it does not in time."""
    import time  # lazy: only where nobody listens

    until = time.monotonic() + within_s
    if posix.fork() == 0:
        try:
            posix.setsid()
            nothing = posix.open("/dev/null", posix.O_RDWR)
            for number in (0, 1, 2):
                posix.dup2(nothing, number)
            if posix.fork() == 0:
                posix.execv(command[0], command)
        finally:
            posix._exit(0)
    while time.monotonic() < until:
        time.sleep(0.02)
        made = connected(path)
        if made is not None:
            return made
    return None


def asked(over, route, body):
    """The body of the daemon's answer; b"" for any answer but 200."""
    told = f"content-type: application/json\r\nx-clew-client-pid: {posix.getppid()}\r\ncontent-length: {len(body)}"
    head = f"POST /{route} HTTP/1.0\r\n{told}\r\n\r\n"
    over.settimeout(WITHIN_S.get(route, WITHIN_OTHER_S))
    over.sendall(head.encode() + body)
    parts = []
    while part := over.recv(65536):
        parts.append(part)
    head, _, answer = b"".join(parts).partition(b"\r\n\r\n")
    return answer if head.split(b" ", 2)[1:2] == [b"200"] else b""


def note(path, route, what):
    import time  # lazy: only where nobody listens

    line = '{"at": %d, "where": "%s", "what": "%s"}\n' % (time.time(), route, what)
    number = posix.open(path.rpartition("/")[0] + "/problems.jsonl", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND, 0o600)
    posix.write(number, line.encode())


def main(path, route, within_s="0", *command):
    body = sys.stdin.buffer.read()
    over = connected(path)
    if over is None and command:
        over = started(path, float(within_s), command)
    if over is None:
        note(path, route, "the daemon was not there: the session went on without clew")
        return
    answer = asked(over, route, body)
    if answer and answer != b"{}":
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


try:
    main(*sys.argv[1:])
except Exception as error:  # the session goes on; `clew doctor` tells of it
    try:
        note(sys.argv[1], sys.argv[2], type(error).__name__)
    except Exception:
        pass
posix._exit(0)
