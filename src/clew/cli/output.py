"""Output: standard output holds the answer and nothing else; everything that is said about it goes to standard error.

The answer is written as UTF-8 bytes whatever the locale says, so that it can be piped, hashed and compared.
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
    """There is no standard output to write the answer to."""

    def __init__(self) -> None:
        super().__init__("standard output is closed, so the answer has nowhere to go\nhint: redirect it to a file or to /dev/null")


class OutputPipeClosed(ClewError):
    """Whoever read the answer has stopped reading."""

    exit_code = 141  # 128 + SIGPIPE, as a shell reports it


def write_bytes(data: bytes) -> None:
    """Write bytes of the answer. Raises OutputClosed, ReaderGone, or OSError as the system gives it."""
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
    """Write text of the answer."""
    write_bytes(escape_surrogates(text).encode())


def write_json(value: Any) -> None:
    """Write one JSON document, its keys in the order in which they were made, with a line end."""
    write_bytes((json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())


def write_answer(value: Any, text: str, *, is_json: bool) -> None:
    """Write the answer as one JSON document, or as text."""
    if is_json:
        write_json(value)
    else:
        write_text(text)


def write_message(text: str) -> None:
    """Write a line for the person who waits. Standard error may be closed: then nobody waits."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(escape_control(text) + "\n")
        sys.stderr.flush()
    except OSError:
        _discard_buffered(sys.stderr.fileno())


def write_problems(problems: Sequence[str]) -> None:
    """Say the first PROBLEMS_SHOWN problems, and how many more there are."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        write_message(f"clew: {problem}")
    if len(problems) > _PROBLEMS_SHOWN:
        write_message(f"clew: and {len(problems) - _PROBLEMS_SHOWN:,} more; --json lists them all")


def _discard_buffered(descriptor: int = 1) -> None:
    """Let what is still buffered go to nobody, so that the interpreter's last flush does not complain."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a path object has nothing to add to /dev/null
        os.dup2(nowhere.fileno(), descriptor)


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at this stream."""
    return stream is not None and stream.isatty()


def escape_surrogates(text: str) -> str:
    r"""The text without lone surrogates, which neither UTF-8 nor JSON can hold: a byte of a file name becomes \xNN."""
    return _SURROGATE.sub(_escaped, text)


def escape_control(text: str) -> str:
    r"""The text as it may be shown on a terminal: control characters, which could steer it, become \xNN."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", escape_surrogates(text))


def format_count(number: int, noun: str) -> str:
    """`1 file`, `1,500 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_size(size: int) -> str:
    """`812 B`, `45.3 kB`, `25.1 MB`: bytes as a person reads them, in powers of ten."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB"):
        size_in = size / (1e3 if unit == "kB" else 1e6)
        if size_in < 999.95:
            return f"{size_in:.1f} {unit}"
    return f"{size / 1e9:.1f} GB"


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
