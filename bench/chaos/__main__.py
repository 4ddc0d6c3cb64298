"""Soak and chaos: a real `convscope serve` is overloaded, abused and ended, and must behave.

    python -m bench.chaos [--minutes 5] [--device cpu] [--seed 0] [--write]

Serves a copy of the bundled models on loopback, in a temporary folder. In phases 1 to 3 the load
has a processor of its own. Prints a table; the exit code is 1 if anything in it fails. `--write`
puts the table into bench/RESULTS.md.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench.chaos.farewell import Farewell, check_farewells, say_farewell
from bench.chaos.ledger import by_kind
from bench.chaos.overload import measure_overload
from bench.chaos.server import apart, on_processors, serving
from bench.chaos.soak import Soak, soak
from bench.chaos.soak_checks import check_soak
from bench.chaos.verdict import Check, kinds_table, table
from bench.chaos.vitals import started_at
from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine

_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "fastapi", "uvicorn", "uvloop")
# Phases 1 to 3 and the calibration of the fourth take so much of the time each, at most so long.
_SHARE, _LONGEST_S = 1 / 12, 20.0
_FAREWELLS = 5


def main() -> int:
    """Do all phases, report, and return the exit code."""
    options = _options()
    # or the server would be left behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    how = f"`{' '.join(['python -m bench.chaos', *sys.argv[1:]])}`. {describe_machine(_PACKAGES)}"
    total_s = options.minutes * 60
    part_s = min(_LONGEST_S, total_s * _SHARE)
    with tempfile.TemporaryDirectory(prefix="convscope-chaos-") as folder:
        place = Path(folder)
        checks = _overload(place, options.device, part_s)
        soaked, soak_checks = _soak_and_end(place, options, part_s, total_s - 4 * part_s)
    checks += soak_checks
    text = _section(how, checks, soaked)
    print(text)
    if options.write:
        write_section("chaos", text)
    return int(any(check.kept is False for check in checks))


def _overload(place: Path, device: str, seconds: float) -> list[Check]:
    server_cpus, load_cpus = apart()
    _say(f"phases 1 to 3, {seconds:.0f} s each")
    with serving(place, server_cpus, device) as server, on_processors(load_cpus):
        return measure_overload(server, seconds)


def _soak_and_end(
    place: Path, options: argparse.Namespace, part_s: float, seconds: float
) -> tuple[Soak, list[Check]]:
    """Soak a server and end it; end some fresh ones too, because how it goes is chance."""
    cpus, farewells = os.sched_getaffinity(0), list[Farewell]()
    with serving(place, cpus, options.device) as server:
        started = started_at(server.process.pid)
        _say(f"phase 4, {part_s:.0f} s to calibrate and {seconds:.0f} s of chaos")
        seen = asyncio.run(soak(server, seconds, part_s, options.seed))
        checks = check_soak(seen, server, started)
        _say("phase 5")
        farewells.append(asyncio.run(say_farewell(server)))
    for number in range(1, _FAREWELLS):
        with serving(place, cpus, options.device) as server:
            farewells.append(asyncio.run(say_farewell(server, number)))
    return seen, [*checks, *check_farewells(farewells)]


def _section(how: str, checks: list[Check], soaked: Soak) -> str:
    parts = [
        "## Chaos",
        how,
        table(checks),
        "What was sent in phase 4, calibration included, and how it ended:",
        kinds_table(by_kind(soaked.ledger.entries)),
    ]
    return "\n\n".join(parts)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="of all phases but the last")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="decides what happens when")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
