"""What a clone of the project has, and what the documents' examples need beside it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from tests.docs.pages import ROOT
from tests.training.beat_folders import write_beats
from tests.training.folders import write_colors
from tests.training.scene_folders import write_boxes
from tests.training.sound_folders import write_tones

ADMIN_KEY = "an-admin-key-of-the-documents"
# SqueezeNet as others exported it, with weights that are all alike.
_LIGHT_NET = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
_SCRIPTS = Path(sys.executable).parent


def write_clone(folder: Path) -> None:
    """Write what the examples find in the folder where they run."""
    for name in ("models", "docs/samples", "docker"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "README.md", folder)
    write_colors(folder / "my_photos", each=20)
    write_boxes(folder / "my_scenes")
    write_tones(folder / "my_sounds")
    write_beats(folder / "my_loops")
    shutil.copy(_LIGHT_NET, folder / "my_net.onnx")
    (folder / "labels.txt").write_text("".join(f"thing {index}\n" for index in range(1000)))
    trained = folder / "trained" / "cifar10" / "2"
    shutil.copytree(ROOT / "models" / "cifar10" / "1", trained)
    manifest = json.loads((trained / "manifest.json").read_bytes())
    (trained / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))


def environment() -> dict[str, str]:
    """Return the variables under which examples run: our programs first, and the admin's key."""
    path = f"{_SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "KEY": ADMIN_KEY}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run `convscope serve` in the clone, with an admin key; yield its address."""
    command = ["convscope", "serve", "--port", "0"]
    variables = {**environment(), "CONVSCOPE_ADMIN_KEYS": ADMIN_KEY}
    program = str(_SCRIPTS / command[0])
    with subprocess.Popen(
        [program, *command[1:]], cwd=folder, stdout=subprocess.PIPE, text=True, env=variables
    ) as server:
        assert server.stdout is not None
        greeting = server.stdout.readline()
        found = re.search(r"http://\S+(?=,)", greeting)
        assert found, greeting
        try:
            yield found[0]
        finally:
            server.terminate()
        assert server.wait(timeout=30) == 0
