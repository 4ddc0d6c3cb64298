import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pycocotools import mask as coco

from service.cli import main
from tests.pictures import bomb, flat
from tests.sounds import stored, tone
from tests.swept import read_table, records_of, write_pictures
from tests.tiny_models import (
    write_listener,
    write_measurer,
    write_model,
    write_segmenter,
    write_spans,
)

ENDS = (".jsonl", ".csv", ".parquet")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures, sounds and a model for each task."""
    for write in (write_model, write_segmenter, write_listener, write_spans, write_measurer):
        write(tmp_path / "models")
    monkeypatch.setenv("CONVSCOPE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("CONVSCOPE_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    for name, color in (("a.jpg", "red"), ("b.png", "green"), ("deeper/c.webp", "blue")):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        format = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[file.suffix]
        file.write_bytes(flat(color, format))
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    (tmp_path / "sounds").mkdir()
    loud = np.concatenate([tone(2, 0.03), np.zeros(8000, np.float32), tone(2, 0.63)])
    (tmp_path / "sounds" / "a.wav").write_bytes(stored(loud))
    (tmp_path / "sounds" / "b.mp3").write_bytes(stored(tone(1, 0.63), kind="MP3"))
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def answer_to(file: str, *arguments: object) -> dict[str, Any]:
    """Return what the command prints of the one file as JSON, without what changes."""
    (answer,) = json.loads(run(file, *arguments, "--json").stdout)["results"]
    return {name: value for name, value in answer.items() if name not in ("file", "timing")}


@pytest.mark.parametrize(
    ("model", "folder", "options"),
    [
        ("colors", "photos", ["--top-k", 2]),
        ("paint", "photos", ["--min-area", 5]),
        ("loudness", "sounds", []),
        ("pauses", "sounds", ["--min-seconds", 0.1]),
        ("meter", "sounds", []),
    ],
)
def test_records_are_what_is_printed_of_each_file(
    place: Path, model: str, folder: str, options: list[object]
) -> None:
    """A line a file, in order, with the same numbers as one by one."""
    done = run(folder, "--recursive", "--model", model, *options, "--out", "results.jsonl")
    assert done.exit_code == 0, done.output
    records = records_of(place / "results.jsonl")
    suffixes = (".jpg", ".png", ".webp") if folder == "photos" else (".wav", ".mp3")
    wanted = sorted(
        str(file.relative_to(place))
        for file in (place / folder).rglob("*")
        if file.suffix in suffixes
    )
    assert [record.pop("path") for record in records] == wanted
    for path, record in zip(wanted, records, strict=True):
        expected = answer_to(path, "--model", model, *options)
        assert list(record) == list(expected)
        assert record == nearly(expected)


def nearly(value: Any) -> Any:
    """Return what equals the value, if numbers that are not whole may differ in the last digits."""
    if isinstance(value, dict):
        return {name: nearly(one) for name, one in value.items()}
    if isinstance(value, list):
        return [nearly(one) for one in value]
    return pytest.approx(value, rel=1e-5, abs=1e-7) if isinstance(value, float) else value


def test_masks_are_read_by_those_who_defined_them(place: Path) -> None:
    """The run lengths of a record are the picture's pixels."""
    assert run("photos", "--model", "paint", "--out", "results.jsonl").exit_code == 0
    record = records_of(place / "results.jsonl")[1]
    (found,) = record["classes"]
    assert (record["path"], found["label"]) == ("photos/b.png", "green")
    assert coco.decode(found["rle"]).sum() == 40 * 30


@pytest.mark.parametrize("end", [".csv", ".parquet"])
def test_tables_have_a_row_a_file(place: Path, end: str) -> None:
    """With the likeliest classes in columns, and what went wrong in the last two."""
    (place / "photos" / "bad.png").write_bytes(flat("red", "PNG")[:50])
    (place / "photos" / 'odd "na\nme",.png').write_bytes(flat("blue", "PNG"))
    out = place / f"results{end}"
    done = run("photos", "--model", "colors", "--top-k", 2, "--out", out)
    assert done.exit_code == 1, done.output
    rows = read_table(out)
    assert run("photos", "--model", "colors", "--top-k", 2, "--out", "r.jsonl").exit_code == 1
    for row, record in zip(rows, records_of(place / "r.jsonl"), strict=True):
        assert row["path"] == record["path"]
        assert (row["model"], int(row["version"])) == ("colors", 1)
        if "error" in record:
            assert (row["error_type"], row["label"] or None) == ("invalid-image", None)
            assert row["error_detail"] == record["error"]["detail"]
            continue
        assert not row["error_type"]
        for prediction, number in zip(record["predictions"], ("", "_2"), strict=True):
            assert row[f"label{number}"] == prediction["label"]
            assert int(row[f"class_index{number}"]) == prediction["class_index"]
            assert float(row[f"probability{number}"]) == prediction["probability"]


def test_parquet_has_types(place: Path) -> None:
    """Text, whole numbers and numbers, with null where there is none."""
    assert run("photos", "--model", "colors", "--top-k", 9, "--out", "r.parquet").exit_code == 0
    schema = pyarrow.parquet.read_schema(place / "r.parquet")
    assert [(field.name, str(field.type)) for field in schema][:5] == [
        ("path", "string"),
        ("label", "string"),
        ("class_index", "int64"),
        ("probability", "double"),
        ("label_2", "string"),
    ]
    assert "label_3" in schema.names
    assert "label_4" not in schema.names  # there are three classes
    assert read_table(place / "r.parquet")[0]["error_type"] is None


@pytest.mark.parametrize(
    ("model", "folder", "wanted"),
    [
        ("paint", "photos", {"height": 30, "width": 40, "pixels_red": 1200, "pixels_blue": 0}),
        ("loudness", "sounds", {"duration_s": 5.0, "label": "middling", "class_index": 1}),
        ("pauses", "sounds", {"duration_s": 5.0}),
        ("meter", "sounds", {"duration_s": 5.0}),
    ],
)
def test_every_kind_of_model_has_its_columns(
    place: Path, model: str, folder: str, wanted: dict[str, Any]
) -> None:
    """Sizes and pixels of masks, lengths of sounds, seconds of spans, quantities."""
    assert run(folder, "--model", model, "--out", "r.parquet").exit_code == 0
    row = read_table(place / "r.parquet")[0]
    assert {name: row[name] for name in wanted} == wanted
    record = answer_to(row["path"], "--model", model)
    if model == "pauses":
        for entry in record["classes"]:
            assert row[f"seconds_{entry['label']}"] == entry["seconds"]
    if model == "meter":
        for value in record["values"]:
            assert row[f"{value['name']}_{value['unit']}"] == pytest.approx(value["value"])


def test_no_file_ends_the_run(place: Path) -> None:
    """Each has its record, with the kind of what is wrong; the exit code is 1."""
    folder = place / "photos"
    whole = flat("red", "JPEG", (400, 300))
    bad = {
        "bomb.png": (bomb(), "too-large"),
        "cut.jpg": (whole[: len(whole) // 2], "invalid-image"),
        "empty.png": (b"", "empty-input"),
        "text.png": (b"no picture", "unsupported-media"),
        "huge.png": (bytes(70_000), "too-large"),
    }
    for name, (content, _) in bad.items():
        (folder / name).write_bytes(content)
    (folder / "lost.png").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.png")
    named = [folder / "gone.png", folder / "notes.txt"]
    limit = ("--max-file-bytes", 200_000 if len(bomb()) > 70_000 else 69_999)
    (folder / "huge.png").write_bytes(bytes(limit[1] + 1))
    done = run("photos", *named, "--model", "colors", *limit, "--out", "results.jsonl")
    assert done.exit_code == 1, done.output
    records = {Path(r["path"]).name: r for r in records_of(place / "results.jsonl")}
    kinds = {name: r["error"]["type"] for name, r in records.items() if "error" in r}
    assert kinds == {name: kind for name, (_, kind) in bad.items()} | {
        "lost.png": "not-found",
        "pipe.png": "unreadable",
        "gone.png": "not-found",
        "notes.txt": "unsupported-media",
    }
    assert records["b.png"]["predictions"][0]["label"] == "green"
    assert "11 files, 2 answered, 9 failed" in done.stderr


def test_file_that_seems_closed_does_not_keep_the_others_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell names all there are: whether each can be read is found out by reading it."""
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    done = run("photos/a.jpg", "photos/b.png", "--model", "colors", "--out", "r.jsonl")
    assert done.exit_code == 0, done.output
    assert len(records_of(place / "r.jsonl")) == 2


def test_damaged_sounds_are_recorded(place: Path) -> None:
    """One that is cut short and a silent one, with good ones beside them."""
    whole = (place / "sounds" / "a.wav").read_bytes()
    (place / "sounds" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    silent = stored(np.zeros(16_000, np.float32))
    (place / "sounds" / "silent.wav").write_bytes(silent)
    assert run("sounds", "--model", "loudness", "--out", "r.jsonl").exit_code == 1
    told = [r.get("error", {}).get("type") for r in records_of(place / "r.jsonl")]
    assert told == [None, None, "invalid-audio", "invalid-audio"]


def test_each_file_is_answered_once(place: Path) -> None:
    """However often it is named, and the results in the folder are no input."""
    (place / "list").write_text("photos/b.png\nphotos\n./photos/a.jpg\n")
    words = ["photos/a.jpg", "photos", "--from-file", "list", "--model", "colors"]
    assert run(*words, "--out", "photos/results.csv").exit_code == 0
    assert [row["path"] for row in read_table(place / "photos" / "results.csv")] == [
        "photos/a.jpg",
        "photos/b.png",
    ]


def test_masks_are_saved_where_their_pictures_lie(place: Path) -> None:
    """Below the folder, so that pictures of one name are kept apart; they are no inputs."""
    (place / "photos" / "deeper" / "a.jpg").write_bytes(flat("blue"))
    words = ("photos", "--recursive", "--model", "paint", "--save", "photos/out")
    assert run(*words, "--out", "results.jsonl").exit_code == 0
    saved = place / "photos" / "out" / "photos"
    with Image.open(saved / "deeper" / "a.jpg.mask.png") as mask:
        assert mask.getextrema() == (2, 2)
    with Image.open(saved / "a.jpg.mask.png") as mask:
        assert mask.getextrema() == (0, 0)
    assert (saved / "a.jpg.overlay.png").exists()
    assert run(*words, "--restart", "--out", "results.jsonl").exit_code == 0
    assert len(records_of(place / "results.jsonl")) == 4


@pytest.mark.parametrize("end", ENDS)
def test_same_command_again_says_that_all_is_done(place: Path, end: str) -> None:
    """With the exit code that it had, and without touching anything."""
    words = ("photos", "photos/notes.txt", "--model", "colors", "--out", f"r{end}")
    assert run(*words).exit_code == 1
    before = {file: file.stat().st_mtime_ns for file in place.glob("r.*")}
    again = run(*words)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == f"r{end}: 3 files, 2 answered, 1 failed.\n"
    assert {file: file.stat().st_mtime_ns for file in place.glob("r.*")} == before
    assert {file.name for file in before} == {f"r{end}", f"r{end}.run"}


def test_nothing_to_answer_has_an_exit_code_of_its_own(place: Path) -> None:
    """3, with why, and no file is left behind."""
    done = run("sounds", "--model", "colors", "--out", "r.csv")
    assert done.exit_code == 3
    assert done.stderr == "There is nothing to answer. Passed over: 2 files.\n"
    assert not list(place.glob("r.csv*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["photos", "--model", "colour", "--out", "r.csv"], "no model 'colour'"),
        (["photos", "--model", "colors", "--version", 7, "--out", "r.csv"], "no version '7'"),
        (["photos", "--model", "colors", "--out", "r.txt"], "r.txt: results are written as"),
        (["photos", "--model", "colors", "--out", "no/r.csv"], "No such file or directory"),
        (["photos", "--out", "r.csv"], "say with --model which answers"),
        (["--model", "colors", "--out", "r.csv"], "Missing argument 'PATHS...'"),
        (["--model", "colors"], "Missing argument 'PATHS...'"),
        (["--from-file", "x", "--model", "colors", "--out", "r.csv"], "there is no such file"),
        (["--from-file", "photos", "--model", "colors", "--out", "r.csv"], "there is no such file"),
        (["photos", "--json", "--out", "r.jsonl"], "--json prints"),
        (["photos", "--restart"], "--restart is for answers that go into a file"),
        (["photos", "--model", "colors", "--save", "o", "--out", "r.csv"], "--save is for"),
        (["photos", "--model", "paint", "--save", "photos", "--out", "r.csv"], "masks would be"),
        (["photos", "--model", "paint", "--min-seconds", 1, "--out", "r.csv"], "min_seconds is"),
    ],
)
def test_what_cannot_begin_is_told(place: Path, words: list[object], told: str) -> None:
    """Exit code 2, one sentence, and nothing is written."""
    before = sorted(place.rglob("*"))
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(place.rglob("*")) == before


def test_other_version_or_options_are_refused(place: Path) -> None:
    """A new version of the model would not fit what is there."""
    words = ("photos", "--model", "colors", "--out", "r.jsonl")
    assert run(*words).exit_code == 0
    write_model(place / "models", "colors", 2)
    done = run(*words)
    assert done.exit_code == 2
    assert "version was 1 and is 2" in done.stderr
    assert "--restart" in done.stderr
    assert run(*words, "--version", 1).exit_code == 0
    assert "top_k was 5 and is 2" in run(*words, "--version", 1, "--top-k", 2).stderr
    assert run(*words, "--restart").exit_code == 0
    assert {r["model"]["version"] for r in records_of(place / "r.jsonl")} == {2}


def test_quiet_tells_nothing(place: Path) -> None:
    """But the exit code."""
    words = ("photos", "photos/notes.txt", "--model", "colors", "--quiet")
    done = run(*words, "--out", "r.jsonl")
    assert (done.exit_code, done.output) == (1, "")


def test_one_file_is_no_files(place: Path) -> None:
    """What is told is a sentence of any number."""
    told = run("photos/a.jpg", "--model", "colors", "--out", "r.jsonl").stderr
    assert told.startswith("1 file in ")
    assert told.endswith("r.jsonl: 1 file, 1 answered, 0 failed.\n")


def test_without_pyarrow_it_is_told_at_once(place: Path) -> None:
    """Not after an hour: before anything is answered or written."""
    program = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "sys.argv = ['convscope', 'predict', 'photos', '--model', 'colors', '--out', 'r.parquet']\n"
        "from service.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Parquet needs the parquet extra: pip install 'convscope[parquet]'" in done.stderr
    assert not list(place.glob("r.parquet*"))


def test_many_files_are_answered_with_several_threads(place: Path) -> None:
    """In order, and as one by one."""
    paths = write_pictures(place / "many", 500)
    done = run("many", "--model", "colors", "--runners", 4, "--out", "r.jsonl")
    assert done.exit_code == 0, done.output
    records = records_of(place / "r.jsonl")
    assert [record["path"] for record in records] == [f"many/{Path(p).name}" for p in paths]
    for number in (0, 77, 499):
        with Image.open(paths[number]) as image:
            brightest = int(np.argmax(image.getpixel((0, 0))))
        assert records[number]["predictions"][0]["class_index"] == brightest
