"""Several server processes behind one port."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from service.commands.listener import hold_port, share_port
from service.contract.errors import SetupError
from service.cpus import available_cpus
from service.logs import configure_logs
from service.settings import Settings

_logger = logging.getLogger("convscope")


def serve_together(settings: Settings) -> bool:
    """Serve with `settings.processes` processes until told to end; return whether all ended well.

    Raises: SetupError, also if a process cannot start the first time.
    """
    if sys.platform != "linux":
        raise SetupError("Several processes share a port on Linux only; leave --processes at 1.")
    from service.commands.supervisor import Supervisor  # elsewhere there are no such signals

    configure_logs(settings.log_level, settings.log_format)
    cpus = available_cpus()
    if settings.processes > cpus:
        tell = "%d processes on %d processors: more than one each costs memory and brings nothing"
        _logger.warning(tell, settings.processes, cpus)
    each = settings.model_copy(update={"threads": threads_of_each(settings, cpus)})
    with hold_port(settings) as held, _private_folder() as folder:

        def serve_one(number: int) -> None:
            # Every process imports these for itself: threads and locks do not survive a fork.
            from service.api.siblings import Siblings
            from service.commands.server import run_server

            run_server(each, share_port(held), Siblings(number, settings.processes, folder))

        return Supervisor(settings.processes, serve_one, folder).run()


def threads_of_each(settings: Settings, cpus: int) -> int:
    """Return how many threads every process computes with: its share, unless that is set."""
    return settings.threads or max(1, cpus // settings.processes)


@contextmanager
def _private_folder() -> Iterator[Path]:
    try:
        folder = TemporaryDirectory(prefix="convscope-")
    except OSError as error:
        raise SetupError(f"There is no place for temporary files: {error}.") from error
    with folder as name:
        yield Path(name)
