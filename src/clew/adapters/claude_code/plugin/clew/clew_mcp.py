"""MCP over standard input and output, handed on to clew's daemon over its Unix socket.

    python -I -S clew_mcp.py SOCKET COMMAND...

One JSON-RPC message a line; each is one POST of its own, so that a daemon that was started anew is found again. Imports nothing of clew:
the client waits for it. Where nobody listens, COMMAND starts the daemon. Where that fails each request is answered with an error, and
the session goes on without these tools.
"""

import _socket
import _thread
import posix
import sys
import time

START_WITHIN_S = 8.0
ANSWER_WITHIN_S = 60.0
_writing = _thread.allocate_lock()
_starting = _thread.allocate_lock()


def connected(path):
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        made.connect(path)
    except OSError:
        made.close()
        return None
    return made


def reached(path, command):
    """A connection, if need be to a daemon that is started now; None when there is none in time."""
    made = connected(path)
    if made is not None or not command:
        return made
    with _starting:
        made = connected(path)
        if made is not None:
            return made
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
        until = time.monotonic() + START_WITHIN_S
        while made is None and time.monotonic() < until:
            time.sleep(0.02)
            made = connected(path)
    return made


def asked(over, line, cwd):
    """The body of the daemon's answer; b"" for a notification."""
    head = (
        "POST /mcp/ HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\n"
        f"x-clew-cwd: {cwd}\r\nx-clew-client-pid: {posix.getppid()}\r\ncontent-length: {len(line)}\r\n\r\n"
    )
    over.settimeout(ANSWER_WITHIN_S)
    over.sendall(head.encode("utf-8", "surrogateescape") + line)
    parts = []
    while part := over.recv(65536):
        parts.append(part)
    over.close()
    _, _, body = b"".join(parts).partition(b"\r\n\r\n")
    return body.strip()


def identity(line):
    """The id of a request as it is written, None for a notification. Only asked when there is no other answer to give."""
    import json  # lazy: only where there is no other answer

    told = json.loads(line)
    return json.dumps(told["id"]) if isinstance(told, dict) and "id" in told and "method" in told else None


def handle(path, command, line, cwd):
    answer = b""
    try:
        over = reached(path, command)
        if over is None:
            raise OSError("the daemon is not there")
        answer = asked(over, line, cwd)
    except OSError as error:
        try:
            name = identity(line)
        except ValueError:
            name = "null"
        if name is not None:
            said = f"clew's daemon does not answer ({error}). Go on without it; `clew doctor` tells the user more.".replace('"', "'")
            answer = f'{{"jsonrpc":"2.0","id":{name},"error":{{"code":-32000,"message":"{said}"}}}}'.encode()
    if answer:
        with _writing:
            sys.stdout.buffer.write(answer.replace(b"\n", b" ") + b"\n")
            sys.stdout.buffer.flush()


def main(path, *command):
    cwd = posix.getcwd()
    under_way = []
    for line in sys.stdin.buffer:
        line = line.strip()
        if not line:
            continue
        done = _thread.allocate_lock()
        done.acquire()
        under_way = [each for each in under_way if each.locked()] + [done]

        def work(line=line, done=done):
            try:
                handle(path, command, line, cwd)
            finally:
                done.release()

        if b'"initialize"' in line:  # the first answer comes before anything else is sent
            work()
        else:
            _thread.start_new_thread(work, ())
    for done in under_way:
        done.acquire(True, ANSWER_WITHIN_S)


main(*sys.argv[1:])
