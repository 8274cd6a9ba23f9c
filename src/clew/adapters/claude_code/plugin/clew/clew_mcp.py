"""MCP over standard input and output: what is always the same is answered here, and calls of tools are handed to clew's daemon.

    python -I -S -c 'RUN'      (RUN imports this module, or does nothing where it is gone)

The client waits for a server's first answers before its first request, and the daemon's own take a second when it has just started; so
they stand ready in `tools.json` beside this file. One JSON-RPC message a line; each call is one request of its own, so that a daemon that
was started anew is found again. Where it cannot be asked a call is answered with an error, and the session goes on without these tools.
"""

import _signal
import _thread
import json
import posix
import sys

import clew_ask

ANSWER_WITHIN_S = 60.0
PROTOCOLS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")  # tools are the same in all of them; the newest first
_writing = _thread.allocate_lock()


def main(path, *command):
    """Answer JSON-RPC messages on standard input until it closes; tool calls are forwarded to the daemon at `path`."""
    with open(__file__.rpartition("/")[0] + "/tools.json", encoding="utf-8") as stream:
        ready = json.load(stream)
    under_way = []
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        done = _thread.allocate_lock()
        done.acquire()
        under_way = [each for each in under_way if each.locked()] + [done]
        _thread.start_new_thread(_handle, (path, command, ready, line, done))
    for done in under_way:
        done.acquire(True, ANSWER_WITHIN_S)


def _handle(path, command, ready, line, done):
    try:
        answer = _answer(path, command, ready, line.strip())
        if answer:
            with _writing:
                sys.stdout.buffer.write(answer.replace(b"\n", b" ") + b"\n")
                sys.stdout.buffer.flush()
    except OSError:  # the client has gone
        pass
    finally:
        done.release()


def _answer(path, command, ready, line):
    """Return the answer to a message, b"" for one that needs none."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, -32700, "this is no JSON")
    if not isinstance(told, dict) or "method" not in told:
        return b"" if isinstance(told, dict) and ("result" in told or "error" in told) else _error(None, -32600, "this is no request")
    if "id" not in told:
        return b""
    name, method = told["id"], told["method"]
    if method == "tools/call":
        return _forward_call(path, command, line, name)
    if method == "initialize":
        parameters = told.get("params")
        wanted = parameters.get("protocolVersion") if isinstance(parameters, dict) else None
        version = wanted if wanted in PROTOCOLS else PROTOCOLS[0]
        about = {"protocolVersion": version, "capabilities": {"tools": {"listChanged": False}}}
        return _result(name, {**about, "serverInfo": ready["server"], "instructions": ready["instructions"]})
    if method == "tools/list":
        return _result(name, {"tools": ready["tools"]})
    if method == "ping":
        return _result(name, {})
    return _error(name, -32601, "Method not found")


def _forward_call(path, command, line, name):
    told = (f"x-clew-cwd: {posix.getcwd()}", f"x-clew-client-pid: {posix.getppid()}", "accept: application/json, text/event-stream")
    try:
        answer = clew_ask.post(path, "mcp/", line, command, told, timeout_s=ANSWER_WITHIN_S, waits=True)
        reason = "it gave no answer"
    except clew_ask.Unreachable as missed:
        answer, reason = b"", clew_ask.REASONS[missed.reason]
    return answer.strip() or _error(
        name, -32000, f"clew's daemon cannot be asked: {reason}. Go on without it; `clew doctor` tells the user more."
    )


def _result(name, value):
    return json.dumps({"jsonrpc": "2.0", "id": name, "result": value}).encode()


def _error(name, code, message):
    return json.dumps({"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": message}}).encode()


def run(arguments=None):
    """Run `main` until the client closes standard input. `arguments` replace those of `clew_place`."""
    if arguments is None:
        import clew_place  # lazy: rendered beside this file, and not needed by who names its own

        arguments = (clew_place.SOCKET, *clew_place.START)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # by which the client ends it, and waits: nothing is left to do then
    main(*arguments)
    posix._exit(0)
