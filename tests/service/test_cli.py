import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pydantic import BaseModel

from service.api.schemas import ClassificationOut, SoundClassificationOut, SoundSegmentationOut
from service.cli import main
from service.settings import Settings, is_secret
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter, write_spans


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one model, which the commands find by their environment."""
    folder = tmp_path / "models"
    write_model(folder)
    monkeypatch.setenv("CONVSCOPE_MODELS_DIR", str(folder))
    monkeypatch.setenv("CONVSCOPE_DEVICE", "cpu")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(flat("red"))
    (folder / "deeper" / "b.PNG").write_bytes(flat("blue", "PNG"))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def sounds(tmp_path: Path, models: Path) -> Path:
    """A folder of sounds and a picture, beside models for both."""
    write_listener(models)
    write_spans(models)
    folder = tmp_path / "sounds"
    (folder / "deeper").mkdir(parents=True)
    parts = [tone(2, 0.03), np.zeros(8000, np.float32), tone(9, 0.63)]
    (folder / "a.wav").write_bytes(stored(np.concatenate(parts)))
    (folder / "deeper" / "b.OGG").write_bytes(stored(tone(1, 0.63), kind="Vorbis"))
    (folder / "c.png").write_bytes(flat("blue", "PNG"))
    (folder / "notes.txt").write_text("no sound")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_predict_names_the_likeliest_classes(models: Path, pictures: Path) -> None:
    """A line for each picture, in folders for each that looks like one."""
    result = run("predict", pictures, "--recursive", "--top-k", 1)
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    assert re.fullmatch(r".*/a\.jpg: red \d+\.\d%", first)
    assert re.fullmatch(r".*/deeper/b\.PNG: blue \d+\.\d%", second)


def test_predict_leaves_folders_in_folders_alone(models: Path, pictures: Path) -> None:
    """They are searched when that is asked for, and where nothing is found it says so."""
    assert len(run("predict", pictures).output.splitlines()) == 1
    (pictures / "a.jpg").unlink()
    nothing = run("predict", pictures)
    assert nothing.exit_code == 1
    assert "There are no pictures" in nothing.output
    assert "searched with --recursive" in nothing.output


def test_predict_prints_a_timeline_of_sounds(sounds: Path) -> None:
    """Below the classes of the whole, those of each stretch in columns."""
    result = run("predict", sounds / "a.wav", "--model", "loudness", "--top-k", 2)
    assert result.exit_code == 0, result.output
    whole, *lines = result.output.splitlines()
    assert re.fullmatch(r".*/a\.wav: loud \d+\.\d%, middling \d+\.\d%", whole)
    assert re.fullmatch(r"  0:00\.00-0:02\.12  quiet    [01]\.\d\d \| middling 0\.\d\d", lines[0])
    assert [line for line in lines if line.endswith("  silent")] == ["  0:02.12-0:02.88  silent"]
    assert re.fullmatch(r"  0:03\.12-0:12\.00  loud     [01]\.\d\d \| middling 0\.\d\d", lines[-1])


def test_predict_prints_the_spans_of_a_segmenter(sounds: Path) -> None:
    """A line for each, below how much of the whole each class has."""
    result = run("predict", sounds / "a.wav", "--model", "pauses", "--min-seconds", 0.1)
    assert result.exit_code == 0, result.output
    whole, *lines = result.output.splitlines()
    assert re.fullmatch(r".*/a\.wav: (sound|pause) \d\d\.\d%, (sound|pause) \d\d\.\d%", whole)
    assert re.fullmatch(r"  0:00\.00-\d:\d\d\.\d\d  (sound|pause)", lines[0])
    assert lines[-1].endswith("-0:12.00  sound")


def test_predict_takes_files_by_their_content(sounds: Path) -> None:
    """Without --model sounds and pictures each go to the default model for them."""
    (sounds / "c.png").rename(sounds / "c.mp3")
    result = run("predict", sounds, "--recursive", "--top-k", 1, "--json")
    assert result.exit_code == 0, result.output
    answers = json.loads(result.output)["results"]
    told = [
        (Path(a["file"]).name, a["model"]["name"], a["predictions"][0]["label"]) for a in answers
    ]
    assert told == [
        ("a.wav", "loudness", "loud"),
        ("c.mp3", "colors", "blue"),
        ("b.OGG", "loudness", "loud"),
    ]


@pytest.mark.parametrize(
    ("model", "names"), [("loudness", ["a.wav", "b.OGG"]), ("colors", ["c.png"])]
)
def test_predict_searches_folders_for_what_the_model_takes(
    sounds: Path, model: str, names: list[str]
) -> None:
    """Sounds for a model of sounds, pictures for one of pictures."""
    result = run("predict", sounds, "--recursive", "--model", model, "--json")
    answers = json.loads(result.output)["results"]
    assert [Path(answer["file"]).name for answer in answers] == names


@pytest.mark.parametrize(
    ("model", "schema"), [("loudness", SoundClassificationOut), ("pauses", SoundSegmentationOut)]
)
def test_predict_of_sounds_as_json_has_the_servers_answers(
    sounds: Path, model: str, schema: type[BaseModel]
) -> None:
    """And a bad file does not stop the others."""
    (sounds / "bad.wav").write_bytes(b"RIFF....WAVEnothing")
    result = run("predict", sounds / "bad.wav", sounds / "a.wav", "--model", model, "--json")
    assert result.exit_code == 1
    bad, good = json.loads(result.stdout)["results"]
    assert "broken" in bad["error"]
    assert good.pop("file") == str(sounds / "a.wav")
    schema.model_validate(good)


def test_predict_saves_masks_and_overlays(models: Path, pictures: Path, tmp_path: Path) -> None:
    """A segmenter prints shares, and writes a palette PNG and an overlay of each picture."""
    write_segmenter(models)
    saved = tmp_path / "out"
    result = run("predict", pictures, "--recursive", "--model", "paint", "--save", saved)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0].endswith("a.jpg: red 100.0%")
    with Image.open(saved / "b.PNG.mask.png") as mask:
        assert (mask.mode, mask.size, mask.getextrema()) == ("P", (40, 30), (2, 2))
    with Image.open(saved / "a.jpg.overlay.png") as overlay:
        assert (overlay.mode, overlay.size) == ("RGB", (40, 30))


def test_predict_segments_as_the_server_does(models: Path, pictures: Path) -> None:
    """The JSON is the server's, with what was asked for."""
    write_segmenter(models)
    options = ("--tile", "64", "--resolution", "original", "--min-area", 5)
    result = run("predict", pictures / "a.jpg", "--model", "paint", "--json", *options)
    (answer,) = json.loads(result.output)["results"]
    assert (answer["height"], answer["width"]) == (30, 40)
    assert answer["classes"][0]["rle"]["size"] == [30, 40]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tile", "3"], "should be greater than or equal to 64"),
        (["--tile", "many"], "--tile=many"),
        (["--model", "colors", "--save", "out"], "--save is for segmenters"),
        (["--model", "loudness", "--save", "out"], "--save is for segmenters of pictures"),
        (["--model", "pauses", "--tile", "64"], "tile is for pictures"),
        (["--model", "paint", "--min-seconds", "1"], "min_seconds is for sounds"),
        (["--min-seconds", "nan"], "--min-seconds=nan"),
    ],
)
def test_predict_tells_what_does_not_fit(
    models: Path, pictures: Path, options: list[str], told: str
) -> None:
    """Options out of range end the command before anything is answered or written."""
    for write in (write_segmenter, write_listener, write_spans):
        write(models)
    result = run("predict", pictures / "a.jpg", *options)
    assert result.exit_code == 2
    assert told in result.output


def test_predict_goes_on_after_a_bad_file(models: Path, pictures: Path) -> None:
    """The good ones are answered, the bad ones named, and the exit code is 1."""
    result = run("predict", pictures / "notes.txt", pictures / "nix.jpg", pictures / "a.jpg")
    assert result.exit_code == 1
    text, missing, good = result.output.splitlines()
    assert "failed: The data is no picture in a format that is read here" in text
    assert "failed: No such file or directory" in missing
    assert "red" in good


def test_predict_as_json_has_the_servers_answers(models: Path, pictures: Path) -> None:
    """Each entry is the server's answer with the file's name before it."""
    result = run("predict", pictures / "a.jpg", pictures / "nix.jpg", "--json")
    good, bad = json.loads(result.stdout)["results"]
    assert good.pop("file") == str(pictures / "a.jpg")
    assert ClassificationOut.model_validate(good).predictions[0].label == "red"
    assert bad == {"file": str(pictures / "nix.jpg"), "error": "No such file or directory"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predict", "x.jpg", "--model", "colour"], "no model 'colour'"),
        (["predict", "x.jpg", "--version", "7"], "no version '7'"),
        (["predict", "."], "There are no pictures in ."),
        (["layers", "colour"], "Did you mean 'colors'?"),
        (["layers", "colors", "--models-dir", "nowhere"], "nowhere cannot be read"),
        (["check", "nowhere"], "nowhere cannot be read"),
        (["serve", "--models-dir", "nowhere", "--port", "0"], "nowhere cannot be read"),
        (["serve", "--host", "256.1.1.1"], "Cannot listen on 256.1.1.1"),
        (["serve", "--default-model", "x", "--port", "0"], "'x' is not in the repository"),
    ],
)
def test_what_the_operator_got_wrong_is_one_sentence(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    """No traceback: exit code 1 and a line that begins with Error."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_taken_port_is_told(models: Path) -> None:
    """Somebody else on the port is a sentence and not a traceback."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("serve", "--port", port)
    assert result.exit_code == 1
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use." in result.stderr


def test_layers_are_a_table_csv_or_json(models: Path) -> None:
    """The same rows in three forms."""
    table = run("layers", "colors").output
    assert re.search(r"^conv/Conv +1x1 +3x8x8 +9 +576 +100\.0% +1x1 +1x1 +1\.6%$", table, re.M)
    assert "9 parameters, 576 multiply-accumulates (MACs)" in table.splitlines()
    rows = list(csv.DictReader(io.StringIO(run("layers", "colors", "--csv").output)))
    layers = json.loads(run("layers", "colors", "--json").output)["layers"]
    assert [row["name"] for row in rows] == [layer["name"] for layer in layers]
    assert all(line.split()[0] in table for line in (row["name"] for row in rows))


def test_check_tells_good_from_bad(models: Path) -> None:
    """One line a version, and exit code 1 if one would be refused."""
    good = run("check", models)
    assert good.exit_code == 0
    assert good.output.startswith("OK       colors/1: golden outputs within")
    assert run("check", "--models-dir", models).output == good.output
    (write_model(models, "colors", 2) / "CARD.md").unlink()
    bad = run("check")
    assert bad.exit_code == 1
    assert "REFUSED  colors/2/CARD.md: is missing" in bad.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "--port", "70000"], "--port=70000: Input should be less than or equal to 65535"),
        (["serve", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["serve", "--threads", "-1"], "--threads=-1"),
    ],
)
def test_wrong_flag_is_named(arguments: list[str], told: str) -> None:
    """Exit code 2, with the flag and what is wrong with its value."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the environment is told by the variable's name."""
    monkeypatch.setenv("CONVSCOPE_PORT", "http")
    result = run("serve")
    assert result.exit_code == 2
    assert "CONVSCOPE_PORT=http: Input should be a valid integer" in result.stderr


def test_every_setting_but_the_secrets_is_a_flag_of_serve() -> None:
    """--help has all settings, each with its variable; a secret flag would show in ps."""
    text = run("serve", "--help").output
    for name in Settings.model_fields:
        assert (f"--{name.replace('_', '-')} " in text) != is_secret(name)
        assert f"CONVSCOPE_{name.upper()}" in text


def test_commands_of_the_train_extra_are_listed() -> None:
    """They belong to the one command line, even though service knows nothing of them."""
    text = run("--help").output
    for name in ("serve", "predict", "layers", "check", "train", "evaluate", "export"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["train", "evaluate", "export"])
def test_command_without_its_extra_says_which_to_install(name: str) -> None:
    """In an interpreter that has no torch and no lightning: exit code 2 and a plain sentence."""
    program = (
        "import sys\n"
        "for missing in ('torch', 'lightning'): sys.modules[missing] = None\n"
        f"sys.argv = ['convscope', {name!r}]\n"
        "from service.cli import main\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 2
    assert (
        f"convscope {name} needs the train extra: pip install 'convscope[train]'" in result.stderr
    )
    assert "Traceback" not in result.stderr


def test_interrupted_command_says_so_by_its_exit_code() -> None:
    """Ctrl-C while a command is still being imported: 130, and no traceback."""
    program = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'service.commands.predict': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['convscope', 'predict', 'x.jpg']\n"
        "from service.cli import main\n"
        "main()"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (130, "")


def test_module_is_the_command() -> None:
    """`python -m service` is `convscope`."""
    result = subprocess.run(
        [sys.executable, "-m", "service", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"convscope, version \d+\.\d+\.\d+.*\n", result.stdout)
