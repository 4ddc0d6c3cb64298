"""The load: a process of its own, the same for every server.

    python -m bench.serving.client convscope resnet18 --pid 1234 --port 8000 --concurrency 8

Prints one line of JSON.
"""

import argparse
import json
import threading
import time

from bench.serving.processes import cpu_seconds, family
from bench.serving.servers import CONTESTANTS, Running, target_and_body
from bench.serving.workloads import WORKLOADS
from service.load import run_closed


def main() -> None:
    """Warm up, measure, print."""
    options = _options()
    contestant, workload = CONTESTANTS[options.contestant], WORKLOADS[options.workload]
    running = Running(options.pid, options.port)
    target, body = target_and_body(contestant, workload, running)
    meter = Meter(running.pid, options.warmup, options.seconds)
    report = run_closed(
        target, [body], options.concurrency, options.seconds, warmup_s=options.warmup
    )
    if report.latency_ms is None:
        raise SystemExit(report.why_nothing())
    figures = {
        "requests_per_s": report.throughput,
        "p50_ms": report.latency_ms["p50"],
        "p99_ms": report.latency_ms["p99"],
        "cpu_ms": meter.cores() * 1000 / report.throughput,
        "client_cores": report.client_cpu_s / report.duration_s,
        "errors": report.sent - report.ok,
    }
    print(json.dumps(figures))


class Meter:
    """Reads a server's processor time at the beginning and the end of the measured window.

    pid: first process of the server. warmup, seconds: of the run, which is about to begin.
    """

    def __init__(self, pid: int, warmup: float, seconds: float) -> None:
        # Looked up now, because a walk through /proc would hold up the load.
        self._pids = family(pid)
        self._readings: list[tuple[float, float]] = []
        for delay in (warmup, warmup + seconds):
            timer = threading.Timer(delay, self._read)
            timer.daemon = True
            timer.start()

    def cores(self) -> float:
        """Return how many processors the server kept busy, once the run is over."""
        (begin, used_before), (end, used) = self._readings
        return (used - used_before) / (end - begin)

    def _read(self) -> None:
        self._readings.append((time.perf_counter(), cpu_seconds(self._pids)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--pid", type=int, required=True, help="first process of the server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=1, help="connections")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1, help="seconds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
