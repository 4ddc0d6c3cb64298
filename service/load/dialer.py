"""Opens connections."""

import asyncio
import socket
import ssl

from service.load.target import Target
from service.load.wire import Wire


class Dialer:
    """Opens wires to one target, and keeps to the first of its addresses that worked."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._context = ssl.create_default_context() if target.tls else None
        self._addresses: list[str] = []
        self.opened = 0

    async def open(self) -> Wire:
        """Return a new wire.

        Raises: OSError, of the last address that was tried.
        """
        failure = OSError()
        for address in self._addresses or await self._resolve():
            try:
                _, wire = await asyncio.get_running_loop().create_connection(
                    Wire,
                    address,
                    self._target.port,
                    ssl=self._context,
                    server_hostname=self._target.host if self._context else None,
                )
            except OSError as error:
                failure = error
            else:
                self._addresses = [address]
                self.opened += 1
                return wire
        raise failure

    async def _resolve(self) -> list[str]:
        # Left to create_connection, several addresses that fail would make an error without errno.
        found = await asyncio.get_running_loop().getaddrinfo(
            self._target.host, self._target.port, type=socket.SOCK_STREAM
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
