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
