"""Read which user's process is at the other end of a Unix socket."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

DARWIN_SOL_LOCAL, DARWIN_LOCAL_PEERCRED = 0, 1  # SOL_LOCAL and LOCAL_PEERCRED of <sys/un.h>


class ConnectedSocket(Protocol):
    """Connected socket, or a transport's view of one, as far as `read_peer_uid` needs it."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return `size` bytes of a socket option."""
        ...


def read_peer_uid(connection: ConnectedSocket) -> int:
    """Return the user id of the process at the other end; -1 on systems other than Linux and macOS. Raises OSError for a socket that is no
    Unix socket.
    """
    if sys.platform == "linux":
        _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII")))
        return uid
    if sys.platform == "darwin":
        _, uid = struct.unpack_from("II", connection.getsockopt(DARWIN_SOL_LOCAL, DARWIN_LOCAL_PEERCRED, 76))  # version, uid, groups
        return uid
    return -1
