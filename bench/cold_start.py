"""How long `convscope serve` takes to be ready, and what dominates.

    python bench/cold_start.py [ROUNDS]

Whole starts are timed from the launch of the process to its greeting. The parts are timed in
fresh interpreters, interleaved with the whole; medians are reported, as shares of the whole.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = {
    "interpreter alone": "pass",
    "+ NumPy, Pillow": "import numpy, PIL.Image",
    "+ ONNX Runtime": "import numpy, PIL.Image, onnxruntime",
    "+ FastAPI, uvicorn, pydantic": "import numpy, PIL.Image, onnxruntime, service.commands.server",
    "+ loading and checking the models": (
        "import service.commands.server;"
        "from service.repository import load_repository; from pathlib import Path;"
        "assert not load_repository(Path('models')).refusals"
    ),
}


def main() -> None:
    """Time everything and print a Markdown table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    times: dict[str, list[float]] = {name: [] for name in [*PARTS, "serve, until ready"]}
    for _ in range(rounds):
        for name, code in PARTS.items():
            times[name].append(time_python(code))
        times["serve, until ready"].append(time_serve())
    whole = statistics.median(times["serve, until ready"])
    print(f"| from the launch of the process | median of {rounds}, s | share |\n|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"| {name} | {median:.2f} | {median / whole:.0%} |")


def time_python(code: str) -> float:
    """Return the seconds that a fresh interpreter takes for the code."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - begun


def time_serve() -> float:
    """Return the seconds from launching the server to its greeting."""
    command = [str(Path(sys.executable).parent / "convscope"), "serve", "--port", "0"]
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server:
            assert server.stdout is not None
            greeting = server.stdout.readline()
            seconds = time.perf_counter() - begun
            server.terminate()
    assert "ready" in greeting, greeting
    return seconds


if __name__ == "__main__":
    main()
