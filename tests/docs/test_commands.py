"""Runs the commands of the documents as they stand, against a real server."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch

from tests.training.beat_folders import write_beats
from tests.training.folders import write_colors
from tests.training.scene_folders import write_boxes
from tests.training.sound_folders import write_tones

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Not run here: installing and serving are tried by .ci/run, the image by docker/smoke.sh, and
# what Compose is told by tests/docker.
ELSEWHERE = re.compile(
    r"python3 -m venv|(\.venv/bin/)?pip install|convscope serve|\.venv/bin/convscope serve"
    r"|docker |CONVSCOPE_\w+=|docker/make_keys.sh|cp docker/"
)
SCRIPTS = Path(sys.executable).parent
# SqueezeNet as others exported it, with weights that are all alike.
LIGHT_NET = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
DEFAULT_ADDRESS = "http://127.0.0.1:8000"


def commands(kind: str) -> list[str]:
    """Return the documents' commands of one program, each once."""
    found = [
        line.removeprefix(".venv/bin/")
        for file in DOCUMENTS
        for block in re.findall(r"```sh\n(.*?)```", file.read_text(), re.DOTALL)
        for line in block.splitlines()
        if line
    ]
    return [line for line in dict.fromkeys(found) if line.startswith(kind)]


OFFLINE = [
    line
    for line in commands("convscope")
    if line.split()[1] in ("train", "evaluate", "export", "serve")
]
BENCH = commands("convscope bench")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a clone has, that may be written to."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "models", folder / "models")
    shutil.copytree(ROOT / "docs" / "samples", folder / "docs" / "samples")
    shutil.copy(ROOT / "README.md", folder)
    write_colors(folder / "my_photos", each=20)
    write_boxes(folder / "my_scenes")
    write_tones(folder / "my_sounds")
    write_beats(folder / "my_loops")
    shutil.copy(LIGHT_NET, folder / "my_net.onnx")
    (folder / "labels.txt").write_text("".join(f"thing {index}\n" for index in range(1000)))
    return folder


@pytest.fixture(scope="module")
def address(clone: Path) -> Iterator[str]:
    """The address of a server that runs in the clone."""
    command = [str(SCRIPTS / "convscope"), "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        greeting = server.stdout.readline()
        found = re.search(r"http://\S+(?=,)", greeting)
        assert found, greeting
        yield found[0]
        server.terminate()
        assert server.wait(timeout=20) == 0


def test_every_command_is_run_somewhere() -> None:
    """A command of a new kind in the documents must not go untested."""
    for line in commands(""):
        known = ("curl ", "convscope ", "torchrun ")
        assert ELSEWHERE.match(line) or line.startswith(known), line


@pytest.mark.parametrize("command", commands("curl"))
def test_curl_command_works(clone: Path, address: str, command: str) -> None:
    """Each curl of the documents is answered as the text around it says."""
    words = shlex.split(command.replace(DEFAULT_ADDRESS, address))
    if "-o" not in words:
        words += ["-o", "answer.json"]
    done = subprocess.run(
        [*words, "-sS", "-w", "%{http_code}"], cwd=clone, capture_output=True, text=True, timeout=60
    )

    expected = "404" if "cifar01" in command else "200"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    written = clone / words[words.index("-o") + 1]
    if written.suffix == ".json":
        answer = json.loads(written.read_bytes())
        if "classify" in command and "predictions" in answer:
            expected_label = "7" if "seven.flac" in command else "cat"
            assert answer["predictions"][0]["label"] == expected_label


@pytest.mark.parametrize(
    "command", [c for c in commands("convscope") if c not in OFFLINE and c not in BENCH]
)
def test_command_without_a_server_works(clone: Path, command: str) -> None:
    """`predict` and `layers` do in a clone what the documents say."""
    done = run(clone, shlex.split(command))

    if "predict" in command:
        expected = {
            "seven.flac": "seven.flac: 7",
            "digits.flac": "silence",
            "beat.flac": "hiphop" if "genre" in command else "tempo 158 BPM",
        }
        if "my_net" in command:
            expected = {"cat.jpg": "cat.jpg: thing 0 0.1%"}
        assert expected.get(Path(shlex.split(command)[2]).name, "cat") in done.stdout


@pytest.mark.parametrize("command", BENCH)
def test_bench_command_works(clone: Path, address: str, command: str) -> None:
    """Everything is answered well; one second is enough to see it."""
    words = shlex.split(command.replace(DEFAULT_ADDRESS, address))
    if address not in words:
        words.append(address)
    done = run(clone, [*words, "--duration", "1"])

    if "--json" in words:
        report = json.loads(done.stdout)
        assert report["ok"] == report["sent"] > 0
    else:
        assert done.stdout.startswith(address)


def test_training_commands_work_in_their_order(clone: Path) -> None:
    """Train, seeds, export and evaluate go through as written; two epochs are enough to see it."""
    offline = [line for line in OFFLINE if " serve" not in line]
    assert {line.split()[1] for line in offline} == {"train", "evaluate", "export"}
    for command in sorted(offline, key=lambda line: " evaluate " in line):
        words = shlex.split(command)
        run(clone, [*words, "--epochs", "2"] if words[1] == "train" else words)


def test_torchrun_command_works(clone: Path) -> None:
    """Two processes train one net together, and only one version comes out."""
    shutil.rmtree(clone / "runs", ignore_errors=True)
    before = len(list((clone / "models" / "my_photos").glob("*")))
    (command,) = commands("torchrun")
    run(clone, [*shlex.split(command), "--epochs", "2"])

    assert len(list((clone / "models" / "my_photos").glob("*"))) == before + 1
    run_folder = clone / "runs" / "my_photos-resnet20-0"
    assert json.loads((run_folder / "run.json").read_text())["processes"] == 2
    # the batch of 128 is larger than the 48 pictures: one step an epoch, shared by both
    checkpoint = torch.load(run_folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 2


def run(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(SCRIPTS / words[0]), *words[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
