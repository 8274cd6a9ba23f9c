"""The wire: JSON to a server and JSON back, with a deadline, few retries, and no secret in an error.

The standard library's client, one connection for each request, no proxy, no redirect followed: what is sent goes to the
address that was named and to no other.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from clew.errors import BadEndpoint, ModelRefused, ModelUnreachable, ModelUnreadable
from clew.transcript.dialects.values import mapping_of, text_of

T = TypeVar("T")

TRIES_MAX = 4  # the first and three more: waits of 1, 2 and 4 s, unless the server names its own
WAIT_S = 1.0
WAIT_S_MAX = 120.0  # a server that asks for more is told to a person instead
ANSWER_BYTES_MAX = 4_000_000  # far more than any answer of a few thousand tokens
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 529})  # statuses that may be another tomorrow
SAID_CHARS_MAX = 300
_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of an address. `path` has its query."""

    is_secure: bool
    host: str
    port: int | None
    path: str

    @property
    def shown(self) -> str:
        """The address as a person reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_secure else 'http'}://{host}{f':{self.port}' if self.port else ''}{self.path.partition('?')[0]}"


def place_of(url: str, end: str) -> Place:
    """Read an address to whose path `end` (`/chat/completions`) belongs. Raises BadEndpoint."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadEndpoint(_shown(url), str(error)) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadEndpoint(_shown(url), "is not an address that begins with http:// or https://")
    if parts.username or parts.password:
        raise BadEndpoint(_shown(url), "holds a name or a password")
    path = parts.path.rstrip("/")
    if not path.endswith(end):
        path = f"{path or '/v1'}{end}"
    return Place(parts.scheme == "https", parts.hostname, port, path + (f"?{parts.query}" if parts.query else ""))


class Wire:
    """Posts to one place.

    headers    sent with each request, beside those of JSON.
    secret     is in `headers`; taken out of whatever a server says before anybody sees it.
    timeout_s  of one try, from connecting to the answer's last byte.
    wait       sleeps between tries.
    """

    def __init__(
        self, place: Place, headers: Mapping[str, str], *, secret: str, timeout_s: float, wait: Callable[[float], None] = time.sleep
    ) -> None:
        if secret and not place.is_secure and not _is_here(place.host):
            raise BadEndpoint(place.shown, "would carry the key unencrypted over a network")
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise BadEndpoint(place.shown, "the key in the environment is not one: it holds a blank, a line end or other characters")
        self.place, self._headers, self._secret, self._timeout_s, self._wait = place, dict(headers), secret, timeout_s, wait

    def post(self, payload: object, read: Callable[[bytes], T]) -> T:
        """Send `payload` as JSON, and return what `read` makes of the answer; `read` raises ValueError for what it cannot use.

        Raises ModelUnreachable, ModelRefused or ModelUnreadable, after TRIES_MAX tries where another may help.
        """
        body = msgspec.json.encode(payload)
        tried = 0
        while True:
            tried += 1
            pause = WAIT_S * 2 ** (tried - 1)
            try:
                status, named, data = self._once(body)
                if status == http.client.OK:
                    return read(data)
                failure = ModelRefused(self.place.shown, status, self._said(data), tried)
                if status not in BUSY or (named is not None and named > WAIT_S_MAX):
                    raise failure
                pause = pause if named is None else named
            except (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError) as error:
                raise ModelUnreachable(self.place.shown, _reason(error)) from None
            except TimeoutError:
                raise ModelUnreachable(
                    self.place.shown, f"no whole answer within {self._timeout_s:g} s", "raise the setting `compress_timeout_s`"
                ) from None
            except (OSError, http.client.HTTPException) as error:  # hung up, in the middle or before
                failure = ModelUnreachable(self.place.shown, f"{_reason(error)}, {tried} times" if tried > 1 else _reason(error))
            except ValueError as error:  # msgspec's errors are such
                failure = ModelUnreadable(self.place.shown, " ".join(str(error).split())[:SAID_CHARS_MAX])
            if tried == TRIES_MAX:
                raise failure
            self._wait(pause)

    def _once(self, body: bytes) -> tuple[int, float | None, bytes]:
        """One try: the status, the seconds that the server asks to wait, and the body."""
        ends = time.monotonic() + self._timeout_s
        place = self.place
        if place.is_secure:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                place.host, place.port, timeout=self._timeout_s, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(place.host, place.port, timeout=self._timeout_s)
        try:
            connection.request(
                "POST", place.path, body, {"Content-Type": "application/json", "Accept": "application/json", **self._headers}
            )
            held = connection.sock
            response = connection.getresponse()
            return response.status, _pause(response.getheader("Retry-After")), _body(response, held, ends)
        finally:
            connection.close()

    def _said(self, data: bytes) -> str:
        """What a server says of its refusal, on one line, without the key."""
        try:
            told = mapping_of(msgspec.json.decode(data))
            error = told.get("error", told)
            text = text_of(error) or text_of(mapping_of(error).get("message")) or text_of(mapping_of(error).get("type"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            text = ""
        text = text or data[: 8 * SAID_CHARS_MAX].decode("utf-8", "replace")
        text = text.replace(self._secret, "…") if self._secret else text
        return " ".join(text.split())[:SAID_CHARS_MAX]


def _body(response: http.client.HTTPResponse, held: socket.socket | None, ends: float) -> bytes:
    """All of a body. Raises TimeoutError, IncompleteRead, and ValueError for what is far too long."""
    stated = response.getheader("Content-Length")
    data = bytearray()
    while True:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if held is not None and held.fileno() >= 0:  # closed already where the whole answer lies in the buffer
            held.settimeout(left)
        block = response.read1(_BLOCK)
        if not block:
            break
        data += block
        if len(data) > ANSWER_BYTES_MAX:
            raise ValueError(f"the answer is longer than {ANSWER_BYTES_MAX:,} bytes")
    if stated and stated.isdecimal() and len(data) < int(stated):
        raise http.client.IncompleteRead(bytes(data), int(stated) - len(data))
    return bytes(data)


def _pause(named: str | None) -> float | None:
    """Seconds of a Retry-After header, which are a number or a date; None where there is none that can be read."""
    if not named:
        return None
    try:
        return max(0.0, float(named))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(named) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _is_here(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers there"
    if isinstance(error, http.client.IncompleteRead | ConnectionError | http.client.BadStatusLine):
        return "the server hung up before it had answered"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return " ".join(str(error.strerror if isinstance(error, OSError) and error.strerror else error).split()).lower() or type(error).__name__


def _shown(url: str) -> str:
    """An address without what may be a password in it."""
    before, at, after = url.rpartition("@")
    return f"{before.partition('://')[0]}://…@{after}" if at else url
