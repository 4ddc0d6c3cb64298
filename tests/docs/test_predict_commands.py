"""Runs the commands and the program of docs/predict.md as they stand."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner

from service.cli import main
from tests.swept import read_table, records_of, write_pictures

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "predict.md").read_text()


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page speaks of, in which its commands were run."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("cifar10", "street"):
        shutil.copytree(ROOT / "models" / name, folder / "models" / name)
    shutil.copytree(ROOT / "docs" / "samples", folder / "docs" / "samples")
    write_pictures(folder / "my_photos" / "deeper", 5)
    (commands,) = blocks("sh")
    for command in commands.splitlines():
        program = f'convscope() {{ {sys.executable} -m service "$@"; }}\n{command}'
        done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def test_commands_leave_what_the_page_says(clone: Path) -> None:
    """Records and rows for each file, and masks at the paths of their pictures."""
    names = [f"my_photos/deeper/{number:05}.png" for number in range(5)]
    for results in ("results.jsonl", "found.jsonl"):
        assert sorted(record["path"] for record in records_of(clone / results)) == names
    assert [row["path"] for row in read_table(clone / "results.csv")] == names
    assert "label_3" in read_table(clone / "results.csv")[0]
    assert (clone / "masks" / "docs" / "samples" / "cat.jpg.mask.png").exists()
    table = pyarrow.parquet.read_table(clone / "masks.parquet")
    assert {"height", "width", "pixels_sky"} <= set(table.schema.names)


def test_program_reads_the_results(clone: Path) -> None:
    """As it stands, it prints a line for each file."""
    (program,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=clone, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 5


def test_records_shown_are_such_records(clone: Path) -> None:
    """Their fields are those of real ones."""
    shown = [json.loads(line) for line in blocks("json")[0].splitlines()]
    (clone / "cut.png").write_bytes((clone / names_first(clone)).read_bytes()[:40])
    command = [sys.executable, "-m", "service", "predict", names_first(clone), "cut.png"]
    done = subprocess.run(
        [*command, "--model", "cifar10", "--out", "shown.jsonl", "--quiet"], cwd=clone
    )
    assert done.returncode == 1
    for ours, real in zip(shown, records_of(clone / "shown.jsonl"), strict=True):
        assert list(ours) == list(real)
        part = "predictions" if "predictions" in ours else "error"
        first, real_first = ours[part], real[part]
        if part == "predictions":
            first, real_first = first[0], real_first[0]
        assert list(first) == list(real_first)


def names_first(clone: Path) -> str:
    return str(min((clone / "my_photos").rglob("*.png")).relative_to(clone))


def test_exit_codes_are_those_of_the_help() -> None:
    """The page and --help know the same."""
    text = CliRunner().invoke(main, ["predict", "--help"]).output
    told = re.findall(r"^  (\d+) ", text, re.MULTILINE)
    assert told == re.findall(r"^\| (\d+)", TEXT.partition("| code |")[2], re.MULTILINE)
