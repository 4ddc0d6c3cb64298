"""The places where connections come in."""

import socket
from pathlib import Path

from service.commands.unread import keep_unsent_here
from service.contract.errors import SetupError
from service.settings import Settings


def take_port(settings: Settings) -> socket.socket:
    """Take the port before anything is loaded, so that a taken one is known at once.

    Raises: SetupError
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keep_unsent_here(listener)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise SetupError(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Choose another with --port or --host."
        ) from error
    return listener


def hold_port(settings: Settings) -> socket.socket:
    """Take the port for several processes: each listens with its own `share_port` of it.

    Nobody may listen with the socket that is returned. It keeps the number theirs.
    """
    held = take_port(settings)
    # Not before: a port at which another server of ours listens would seem to be free.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return held


def share_port(held: socket.socket) -> socket.socket:
    """Return another socket at the same place.

    The system spreads new connections over all that are listened with.
    """
    listener = socket.socket(held.family, held.type, held.proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keep_unsent_here(listener)
    listener.bind(held.getsockname())
    return listener


def take_private(path: Path) -> socket.socket:
    """Take a place that only processes of the same user can reach; raises SetupError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)  # a process that died has left it
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SetupError(f"Cannot listen on {path}: {error}. TMPDIR decides the folder.") from error
    return listener
