"""Relay: what the mod asks, handed on to clew's daemon within the time that each question may take.

    python -I -S -c 'RUN'      (RUN imports this module, or does nothing where it is gone)

The mod can ask over a Unix socket and cannot give a question up: a daemon that hangs would hold the client for half a minute. So it asks
this process, which it starts with the session, over a socket beside the daemon's. It prints that socket's path in one line, answers each
question in time, with `{}` where the daemon does not, and ends with the client, whose pipe it holds.
"""

import _socket
import _thread
import posix
import select
import sys

import clew_ask

BODY_BYTES_MAX = 64 * 2**20
HELD_S = 10.0  # a client that does not finish its question is let go


def main(path, *command):
    """Listen on a socket beside the daemon's, print its path, and relay requests until the client ends."""
    folder = path.rpartition("/")[0]
    about = posix.lstat(folder)
    if about.st_uid != posix.geteuid() or about.st_mode & 0o177077 != 0o040000:
        return  # another user may have made it: the mod cannot look at who listens there
    remove_stale_sockets(folder)
    inside = f"{folder}/r{posix.getpid()}"  # no longer than the daemon's own, whose length is limited
    listening = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    posix.umask(0o177)
    listening.bind(inside)
    listening.listen(64)
    sys.stdout.write(inside + "\n")
    sys.stdout.flush()
    waiting = select.poll()
    waiting.register(listening.fileno(), select.POLLIN)
    waiting.register(1, 0)  # an error there says that nobody reads any more: the client has ended
    try:
        while True:
            for number, _ in waiting.poll():
                if number == 1:
                    return
                descriptor, _ = listening._accept()
                over = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
                _thread.start_new_thread(serve_request, (over, path, command))
    finally:
        posix.unlink(inside)


def remove_stale_sockets(folder):
    """Delete the sockets of relays that were killed, and one left under this process's own pid."""
    for name in posix.listdir(folder):
        if name[:1] == "r" and name[1:].isdecimal() and not is_other_process(int(name[1:])):
            try:
                posix.unlink(f"{folder}/{name}")
            except FileNotFoundError:  # another relay that starts was quicker
                pass


def is_other_process(pid):
    """Return whether another process of this user has this pid."""
    if pid == posix.getpid():
        return False
    try:
        posix.kill(pid, 0)
    except OSError:
        return False
    return True


def serve_request(over, path, command):
    """Relay one request to the daemon and answer it in time, with {} where the daemon does not."""
    try:
        if clew_ask.read_peer_uid(over) != posix.geteuid():
            return
        over.settimeout(HELD_S)
        route, body = read_request(over)
        try:
            answer = clew_ask.post(path, route, body, command, (f"x-clew-client-pid: {posix.getppid()}",)) or b"{}"
        except clew_ask.Unreachable as missed:
            if missed.reason not in ("left alone", "removed"):
                clew_ask.record_problem(path, route, f"the session went on without clew: {clew_ask.REASONS[missed.reason]}", missed.reason)
            answer = b"{}"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n"
        over.sendall(head.encode() + answer)
    except (OSError, ValueError):  # who asked has gone, or asked nothing that can be read
        pass
    finally:
        over.close()


def read_request(over):
    """Return the route and the body of one HTTP request. Raises ValueError for a malformed one, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = over.recv(65536)
        if not part or len(data) > 65536:
            raise ValueError
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    told = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(told.get("content-length", "0"))
    if not 0 <= length <= BODY_BYTES_MAX:
        raise ValueError
    parts, size = [body], len(body)
    while size < length:
        part = over.recv(min(1 << 20, length - size))
        if not part:
            raise ValueError
        parts.append(part)
        size += len(part)
    return lines[0].split(" ")[1].lstrip("/"), b"".join(parts)


def run(arguments=None):
    """Run `main` until the client ends. `arguments` replace those of `clew_place`."""
    if arguments is None:
        import clew_place  # lazy: rendered beside this file, and not needed by who names its own

        arguments = (clew_place.SOCKET, *clew_place.START)
    try:
        main(*arguments)
    finally:
        sys.stdout = None
        posix._exit(0)
