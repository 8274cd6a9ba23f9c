"""Outcome: run a command line, and turn every error into one sentence on standard error and an exit code.

0  done
1  a file cannot be read, or the answer could not be written
2  wrong usage, or a setting that makes no sense
3  the store cannot be used: busy, damaged, full, read-only, or written by a newer clew
4  the handle is unknown, or its record was purged
5  a model could not be asked, or gave no usable answer
70  a defect of clew; `CLEW_TRACEBACK=1` shows where
130  interrupted
141  the reader of standard output closed it
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from clew.cli import output
from clew.cli.app import app
from clew.errors import ClewError

EXIT_DEFECT = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` (without the program's name), and return its exit code. Prints errors, never raises."""
    try:
        code = app.main(args=list(arguments), prog_name="clew", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        output.write_message(_usage(error))
        return error.exit_code
    except output.OutputPipeClosed as error:  # nothing can be printed any more
        return error.exit_code
    except ClewError as error:
        _trace()
        output.write_message(f"clew: {error}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _trace()
        output.write_message("clew: interrupted; what was stored before stands")
        return EXIT_INTERRUPTED
    except OSError as error:
        _trace()
        output.write_message(f"clew: {_system_error(error)}")
        return 1
    except Exception as error:  # noqa: BLE001  the person at the terminal sees it, in one line, with where to report it
        _trace()
        output.write_message(
            f"clew: a defect of clew: {type(error).__name__}: {' '.join(str(error).split())[:300]}\n"
            "hint: please report this line, as README says under 'Reporting a defect'; CLEW_TRACEBACK=1 shows where it happened"
        )
        return EXIT_DEFECT


def _usage(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f"\nhint: see `{context.command_path} --help`" if context else ""
    return f"clew: {error.format_message()}{where}"


def _system_error(error: OSError) -> str:
    what = (error.strerror or str(error)).lower()
    return f"{os.fsdecode(error.filename)}: {what}" if isinstance(error.filename, (str, bytes)) else what


def _trace() -> None:
    """Print the stack trace of the current error if CLEW_TRACEBACK is set."""
    from clew.settings import is_traceback_enabled

    if is_traceback_enabled() and sys.stderr is not None:
        traceback.print_exc()
