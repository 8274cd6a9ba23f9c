"""Output: write the answer, and nothing else, to standard output, and messages to standard error.

The answer is written as UTF-8 bytes whatever the locale, so that it can be piped, hashed and compared.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from clew.errors import ClewError

_PROBLEMS_SHOWN = 20
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line end


class OutputClosed(ClewError):
    """The process has no standard output to write the answer to."""

    def __init__(self) -> None:
        super().__init__("standard output is closed, so the answer has nowhere to go\nhint: redirect it to a file or to /dev/null")


class OutputPipeClosed(ClewError):
    """The reader of the pipe on standard output closed it."""

    exit_code = 141  # 128 + SIGPIPE, as a shell reports it


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output. Raises OutputClosed if there is none, OutputPipeClosed if its reader is gone, OSError."""
    if sys.stdout is None:
        raise OutputClosed
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        _discard_buffered()
        raise OutputPipeClosed from error
    except OSError:
        _discard_buffered()
        raise


def write_text(text: str) -> None:
    """Write text to standard output as UTF-8. Raises as `write_bytes` does."""
    write_bytes(escape_surrogates(text).encode())


def write_json(value: Any) -> None:
    """Write `value` to standard output as one JSON document, keys in their own order, with a line end. Raises as `write_bytes` does."""
    write_bytes((json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())


def write_answer(value: Any, text: str, *, is_json: bool) -> None:
    """Write `value` as JSON if `is_json`, else `text`, to standard output. Raises as `write_bytes` does."""
    if is_json:
        write_json(value)
    else:
        write_text(text)


def write_message(text: str) -> None:
    """Write a line to standard error, control characters escaped; does nothing if it is closed."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(escape_control(text) + "\n")
        sys.stderr.flush()
    except OSError:
        _discard_buffered(sys.stderr.fileno())


def write_problems(problems: Sequence[str]) -> None:
    """Write the first _PROBLEMS_SHOWN of these sentences to standard error, and how many more there are."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        write_message(f"clew: {problem}")
    if len(problems) > _PROBLEMS_SHOWN:
        write_message(f"clew: and {len(problems) - _PROBLEMS_SHOWN:,} more; --json lists them all")


def _discard_buffered(descriptor: int = 1) -> None:
    """Redirect a descriptor to /dev/null, so that flushing what is still buffered does not fail at exit."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a path object has nothing to add to /dev/null
        os.dup2(nowhere.fileno(), descriptor)


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; False for None, a closed stream."""
    return stream is not None and stream.isatty()


def escape_surrogates(text: str) -> str:
    r"""Replace lone surrogates, which UTF-8 cannot encode, by escapes: a byte of a file name that is not UTF-8 becomes \xNN."""
    return _SURROGATE.sub(_escaped, text)


def escape_control(text: str) -> str:
    r"""Replace control characters, which could control a terminal, and lone surrogates by escapes such as \xNN."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", escape_surrogates(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    # U+DC80..U+DCFF is how Python carries a byte that is not UTF-8 (PEP 383).
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return escape_surrogates(value)
    if isinstance(value, dict):
        return {escape_surrogates(str(key)): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
