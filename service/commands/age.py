"""How long this process has been running."""

import os
import time
from pathlib import Path

_IMPORTED = time.monotonic()


def process_age_s() -> float:
    """Return the seconds since the process was started, interpreter and imports included.

    Where there is no /proc, since this module was imported.
    Source: proc_pid_stat(5), field 22, in clock ticks since boot.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, AttributeError):
        return time.monotonic() - _IMPORTED
