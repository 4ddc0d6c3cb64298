"""The limit: the same work in a loop, without HTTP. One process a measurement.

    python -m bench.serving.bare FOLDER PICTURE --callers 2 --threads 1 --seconds 5

Prints one line of JSON.
"""

import argparse
import json
import threading
import time
from pathlib import Path

import numpy as np

from bench.serving.pipeline import Pipeline, open_session


def main() -> None:
    """Warm up, measure, print."""
    options = _options()
    session = open_session(options.folder, options.threads, not options.no_spinning)
    pipeline = Pipeline(options.folder, session)
    picture = options.picture.read_bytes()
    loop(pipeline, picture, options.callers, options.batch, options.warmup)
    figures = loop(pipeline, picture, options.callers, options.batch, options.seconds)
    print(json.dumps(figures))


def loop(
    pipeline: Pipeline, picture: bytes, callers: int, batch: int, seconds: float
) -> dict[str, float]:
    """Have each caller classify the picture, `batch` copies at once, until the time is over.

    Returns: pictures a second, percentiles of the ms of a round, CPU-ms a picture.
    """
    latencies: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    end = started + seconds

    def call() -> None:
        while time.perf_counter() < end:
            begun = time.perf_counter()
            classify(pipeline, picture, batch)
            latencies.append((time.perf_counter() - begun) * 1000)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    pictures = len(latencies) * batch
    return {
        "requests_per_s": pictures / elapsed,
        "p50_ms": float(np.percentile(latencies, 50)),
        "p99_ms": float(np.percentile(latencies, 99)),
        "cpu_ms": (time.process_time() - cpu) * 1000 / pictures,
    }


def classify(pipeline: Pipeline, picture: bytes, batch: int) -> list[dict[str, object]]:
    """Return the answers for `batch` copies of the picture, each decoded anew."""
    if batch == 1:
        inputs = pipeline.prepare(picture)[None]
    else:
        inputs = np.stack([pipeline.prepare(picture) for _ in range(batch)])
    return [pipeline.answer(row) for row in pipeline.run(inputs)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="version folder of the model")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--callers", type=int, default=1, help="threads that call")
    parser.add_argument("--threads", type=int, default=1, help="of one run")
    parser.add_argument("--no-spinning", action="store_true")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1, help="seconds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
