import importlib.metadata
import json
import subprocess
import sys

FORBIDDEN = {"torch", "lightning", "torchmetrics", "onnxscript", "matplotlib", "training"}
PROGRAM = """
import importlib, json, pkgutil, sys
import service
names = [found.name for found in pkgutil.walk_packages(service.__path__, "service.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_whole_service_runs_without_torch() -> None:
    """Importing every module of the service brings in nothing of training, however indirectly."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    names, loaded = json.loads(result.stdout)
    assert {"service.main", "service.commands.serve", "service.graph.layers"} <= set(names)
    assert FORBIDDEN.isdisjoint(loaded)


def test_ort_is_told_not_to_report_before_it_is_imported() -> None:
    """The variable that turns telemetry off is set when onnxruntime comes in."""
    program = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'onnxruntime': print(os.environ['ORT_DISABLE_TELEMETRY'])\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import service.runtime"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "1\n"


def test_command_is_light_until_it_serves() -> None:
    """Processes are forked from it: by then there may be no threads, and nothing that has some."""
    program = (
        "import sys, threading, service.commands.serve, service.commands.supervisor\n"
        "heavy = {'numpy', 'onnxruntime', 'fastapi', 'uvicorn', 'prometheus_client'}\n"
        "print(sorted(heavy & set(sys.modules)), threading.active_count())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[] 1\n"


# What httpx itself imports, if it is there.
OF_HTTPX = {
    *("anyio", "certifi", "h11", "httpcore", "httpx", "idna", "sniffio", "typing_extensions"),
    # for its own command line and for HTTP/2 and other encodings
    *("brotli", "brotlicffi", "click", "h2", "pygments", "rich", "socksio", "zstandard"),
}
ALONE = """
import sys
class Wall:
    def find_spec(self, name, *_):
        first = name.partition(".")[0]
        ours = first == "service" and not f"{name}.".startswith("service.client.")
        if first in WALLED or (ours and name != "service"):
            raise ImportError(f"{name} is not for the client")
sys.meta_path.insert(0, Wall())
from service.client import AsyncClient, Client
Client().close()
print(sorted(name for name in sys.modules if name.startswith("service.")))
"""


def test_client_needs_httpx_and_numpy_only() -> None:
    """With all other libraries and all the rest of the service walled off, it can be used."""
    installed = set(importlib.metadata.packages_distributions())
    walled = installed - OF_HTTPX - {"numpy", "service"} - set(sys.stdlib_module_names)
    assert {"pydantic", "PIL", "onnxruntime", "fastapi"} <= walled
    program = f"WALLED = {walled!r}\n{ALONE}"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "'service.client.clients'" in result.stdout
