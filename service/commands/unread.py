"""Answers that wait for somebody to read them."""

import asyncio
import socket
import struct

_NO_LINGER = struct.pack("ii", 1, 0)
# What Linux takes ahead of what it can send; left alone that may be megabytes a connection.
_AHEAD_BYTES = 128 * 1024


class Unread:
    """What all connections together have not got rid of yet: at most so many bytes.

    Where it becomes more, those who have kept us waiting longest are cut off. The newest
    never is, so a single answer may be of any size.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._sizes: dict[asyncio.Transport, int] = {}  # those that wait longest first

    def add(self, transport: asyncio.Transport) -> None:
        """Note that the transport has more to send than its peer takes."""
        self._sizes[transport] = transport.get_write_buffer_size()
        while sum(self._sizes.values()) > self._most_bytes and len(self._sizes) > 1:
            longest = next(iter(self._sizes))
            self.discard(longest)
            cut_off(longest)

    def discard(self, transport: asyncio.Transport) -> None:
        """Note that the peer has caught up, or is gone."""
        self._sizes.pop(transport, None)


def keep_unsent_here(listener: socket.socket) -> None:
    """Let what the listener's connections cannot send yet wait here, where it is counted."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _AHEAD_BYTES)


def cut_off(transport: asyncio.Transport) -> None:
    """Reset the connection, so that the system too forgets what it has not sent."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
