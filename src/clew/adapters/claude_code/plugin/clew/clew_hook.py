"""Hook: hand what Claude Code says on standard input to clew's daemon, and print what the daemon answers.

    python -I -S -c 'RUN' ROUTE      (RUN imports this module, or does nothing where it is gone)

`clew_place` beside this file says where the daemon listens and what starts it. Whatever happens it exits with 0 and within the route's
time, so that the session goes on; what was missed is a line in `problems.jsonl` beside the socket, for `clew doctor`. Only the status
line says it at once.
"""

import posix
import sys

import clew_ask

QUIET = ("left alone", "removed")  # what was journalled before, or is nobody's problem


def main(path, route, *command):
    """Send standard input to a route of the daemon and print its answer; print nothing where it cannot be asked."""
    body = sys.stdin.buffer.read()
    client = f"x-clew-client-pid: {posix.getppid()}"
    try:
        answer = clew_ask.post(path, route, body, command, (client,), waits=route == "hook/SessionStart")
    except clew_ask.Unreachable as missed:
        if missed.reason not in QUIET:
            clew_ask.record_problem(path, route, f"the session went on without clew: {clew_ask.REASONS[missed.reason]}", missed.reason)
        answer = _status(path, missed.reason) if route == "statusline" else b""
    if answer and answer != b"{}":
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _status(path, reason):
    """Return the status line for a daemon that cannot be asked."""
    why = clew_ask.read_fault(path)[2] if reason == "left alone" else reason
    short = {"starting": "starting", "not there": "starting", "late": "does not answer", "removed": "uninstalled"}
    return f"clew off: {short.get(why, why)} (clew doctor says more)".encode()


def run(arguments=None):
    """Run `main` for the route on the command line, and exit with 0 whatever it raises, so that the session goes on.

    arguments  for `main`; None takes those of `clew_place`.
    """
    if arguments is None:
        import clew_place  # lazy: rendered beside this file, and not needed by who names its own

        arguments = (clew_place.SOCKET, *sys.argv[1:], *clew_place.START)
    try:
        main(*arguments)
    except Exception as error:
        clew_ask.record_problem(arguments[0], arguments[1], type(error).__name__)
    posix._exit(0)
