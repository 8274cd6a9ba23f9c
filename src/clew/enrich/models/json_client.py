"""Post JSON to one server with a deadline and few retries, and keep the API key out of errors.

One connection for each request, no proxy, no redirect followed: what is sent goes to the address that was named and to no other.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from clew.errors import BadEndpoint, InvalidModelResponse, ModelRefused, ModelUnreachable
from clew.transcript.dialects.values import mapping_or_empty, text_or_empty

Decoded = TypeVar("Decoded")

REQUEST_TRIES_MAX = 4  # the first and three more: waits of 1, 2 and 4 s, unless the server names its own
RETRY_WAIT_S = 1.0  # before the second try; doubled for each further one
RETRY_WAIT_S_MAX = 120.0  # a server that asks for a longer wait is not tried again, and the error says so
RESPONSE_BYTES_MAX = 4_000_000  # far more than any answer of a few thousand tokens
RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 529})  # HTTP statuses of a server that may answer later
ERROR_CHARS_MAX = 300  # of a server's error text in our message


def _address(url: str, end: str) -> URL:
    """Read an address to whose path `end` (`/chat/completions`) belongs. Raises BadEndpoint."""
    before, at, after = url.rpartition("@")
    shown = f"{before.partition('://')[0]}://…@{after}" if at else url  # without what may be a password in it
    try:
        address = URL(url)
    except ValueError as error:
        raise BadEndpoint(shown, str(error)) from None
    if address.scheme not in ("http", "https") or not address.host:
        raise BadEndpoint(shown, "is not an address that begins with http:// or https://")
    if address.user or address.password:
        raise BadEndpoint(shown, "holds a name or a password")
    path = address.raw_path.rstrip("/")
    return address if path.endswith(end) else address.with_path(f"{path or '/v1'}{end}", encoded=True, keep_query=True)


class JsonClient:
    """HTTP client that posts JSON to one address and retries while the server is busy.

    url, end   the server's address, and the path that it must end with, added if it does not.
    headers    sent with each request, beside those of JSON.
    secret     the API key in `headers`; taken out of a server's error texts.
    timeout_s  of one try, from connecting to the answer's last byte.
    socket     path of a Unix socket to connect to in place of the address's host; "" for none.
    place      what errors call the server; "" for its address.
    wait       sleeps between tries.
    Raises     BadEndpoint for an address or a key that cannot be used.
    """

    def __init__(
        self,
        url: str,
        end: str,
        headers: Mapping[str, str],
        *,
        secret: str,
        timeout_s: float,
        socket: str = "",
        place: str = "",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address, self._end, self._socket = _address(url, end), end, socket
        self.place = place or str(self._address.with_query(None).with_fragment(None))  # as a person reads it
        if secret and self._address.scheme == "http" and not _is_here(self._address.host or ""):
            raise BadEndpoint(self.place, "would carry the key unencrypted over a network")
        if not secret.isascii() or not secret.isprintable() or " " in secret:
            raise BadEndpoint(self.place, "the key in the environment is not one: it holds a blank, a line end or other characters")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self._secret, self._timeout_s, self._wait = secret, timeout_s, wait

    def post(self, payload: object, read: Callable[[bytes], Decoded], *, end: str = "", query: Mapping[str, str] | None = None) -> Decoded:
        """Send `payload` as JSON, and return what `read` decodes from the response; `read` raises ValueError for what it cannot use.

        end    stands in place of the address's own end; "" for that.
        Raises ModelUnreachable, ModelRefused or ModelUnreadable, after REQUEST_TRIES_MAX tries where another may help.
        """
        address = self._at(end) if end else self._address
        return self._try(address.with_query(query) if query else address, msgspec.json.encode(payload), read)

    def get(self, end: str, read: Callable[[bytes], Decoded]) -> Decoded:
        """Ask for what stands at `end` in place of the address's own end, as `post` does."""
        return self._try(self._at(end), None, read)

    def _at(self, end: str) -> URL:
        return self._address.with_path(self._address.raw_path.removesuffix(self._end) + end, encoded=True, keep_query=True)

    def _try(self, address: URL, body: bytes | None, read: Callable[[bytes], Decoded]) -> Decoded:
        """Send one request, again where that may help; None as the body asks with GET."""
        tried = 0
        while True:
            tried += 1
            pause = RETRY_WAIT_S * 2 ** (tried - 1)
            try:
                status, named, data = asyncio.run(self._once(address, body))
                if status == 200:
                    return read(data)
                failure = ModelRefused(self.place, status, self._said(data), tried)
                if status not in RETRIED_STATUSES or (named is not None and named > RETRY_WAIT_S_MAX):
                    raise failure
                pause = pause if named is None else named
            except TimeoutError:
                hint = "raise the setting `model_timeout_s`"
                raise ModelUnreachable(self.place, f"no whole answer within {self._timeout_s:g} s", hint) from None
            except aiohttp.ClientConnectorCertificateError as error:
                why = getattr(error.certificate_error, "verify_message", error.certificate_error)
                raise ModelUnreachable(self.place, f"its certificate is not trusted ({why})") from None
            except aiohttp.ClientConnectorError as error:
                is_refused = isinstance(error.os_error, ConnectionRefusedError)
                reason = "no server answers there" if is_refused else _reason(error.os_error)
                if is_refused or isinstance(error, aiohttp.ClientConnectorDNSError):
                    raise ModelUnreachable(self.place, reason) from None
                failure = self._interrupted(reason, tried)
            except (aiohttp.ClientError, OSError):
                failure = self._interrupted("the server hung up before it had answered", tried)
            except ValueError as error:  # msgspec's errors are such
                failure = InvalidModelResponse(self.place, " ".join(str(error).split())[:ERROR_CHARS_MAX])
            if tried == REQUEST_TRIES_MAX:
                raise failure
            self._wait(pause)

    def _interrupted(self, reason: str, tried: int) -> ModelUnreachable:
        return ModelUnreachable(self.place, f"{reason}, {tried} times" if tried > 1 else reason)

    async def _once(self, address: URL, body: bytes | None) -> tuple[int, float | None, bytes]:
        """One try: the status, the seconds that the server asks to wait, and the body."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        connector = aiohttp.UnixConnector(self._socket) if self._socket else None
        method = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False, connector=connector) as session,
            session.request(method, address, data=body, headers=self._headers, allow_redirects=False) as response,
        ):
            data = bytearray()
            async for block in response.content.iter_any():
                data += block
                if len(data) > RESPONSE_BYTES_MAX:
                    raise ValueError(f"the answer is longer than {RESPONSE_BYTES_MAX:,} bytes")
            return response.status, _pause(response.headers.get("Retry-After")), bytes(data)

    def _said(self, data: bytes) -> str:
        """What a server says of its refusal, on one line, without the key."""
        try:
            told = mapping_or_empty(msgspec.json.decode(data))
            error = told.get("error", told)
            text = (
                text_or_empty(error)
                or text_or_empty(mapping_or_empty(error).get("message"))
                or text_or_empty(mapping_or_empty(error).get("type"))
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            text = ""
        text = text or data[: 8 * ERROR_CHARS_MAX].decode("utf-8", "replace")
        text = text.replace(self._secret, "…") if self._secret else text
        return " ".join(text.split())[:ERROR_CHARS_MAX]


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


def _reason(error: OSError) -> str:
    return " ".join(str(error.strerror or error).split()).lower() or type(error).__name__
