"""Runs what stands in the documents as it stands, page by page, against a real server."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from tests.docs.clone import environment, serving, write_clone
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands
from tests.swept import read_table, records_of

sys.path.insert(0, str(ROOT / "docs"))

from interface_values import shape

# Some clients want it without the scheme.
DEFAULT_ADDRESS = "127.0.0.1:8000"
# Commands that are tried elsewhere, and where. Nothing else goes unrun.
ELSEWHERE = {
    r"python3 -m venv |(\.venv/bin/)?pip install ": ".ci/run, in fresh environments",
    r"(\.venv/bin/)?convscope serve\b": ".ci/run; here it is the server that answers",
    r"(CONVSCOPE_\w+=\S+ )?docker[ /]": "tests/docker; docker/smoke.sh where it can",
}
# Blocks that show something and ask for nothing, by how they begin, and why they are no more.
SHOWN = {
    "http://127.0.0.1:8000/v1/models/cifar10/classify": "the form of a report with other figures",
    "2026-03-14T15:09:26.535Z INFO": "a line of the log, at another time",
    "# the web shop, until May": "a file of keys that nobody has",
}
PROGRAMS = ("curl", "convscope", "torchrun", "cp", "find", "mv")
# What answers must hold, by what stands in the command.
ANSWERS = {
    "seven.flac --model spoken_digits": "seven.flac: 7",
    "digits.flac --model silence": "silence",
    "beat.flac --model genre": "hiphop",
    "beat.flac --model tempo": "tempo 158 BPM",
    "cat.jpg --model my_net": "cat.jpg: thing 0 0.1%",
    "predict docs/samples/cat.jpg --model cifar10": "cat",
}
# What the Python of a page must print, by the page.
PRINTED = {"client": "cat", "hugging-face": "cat", "predict": "my_photos/"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a clone has, that may be written to."""
    folder = tmp_path_factory.mktemp("clone")
    write_clone(folder)
    return folder


@pytest.fixture(scope="module")
def address(clone: Path) -> Iterator[str]:
    """The address of a server that runs in the clone."""
    with serving(clone) as found:
        yield found


@pytest.fixture(scope="module")
def done() -> set[str]:
    """The commands that were run already; what several pages say is run once."""
    return set()


class Reader:
    """Somebody who does in the clone what a page says, from top to bottom."""

    def __init__(self, page: Path, clone: Path, address: str, done: set[str]) -> None:
        self._blocks = blocks(page)
        self._clone, self._address, self._done = clone, address, done
        self._answer: object = None

    def do_all(self) -> None:
        for block in self._blocks:
            READ[block.language](self, block)

    def shell(self, block: Block) -> None:
        """Run the commands, each with its status checked."""
        for line, command, status in commands(block):
            command = command.removeprefix(".venv/bin/")
            if elsewhere(command) or command in self._done:
                continue
            self._done.add(command)
            where = f"{block.place}: line {line}"
            if command.startswith("curl "):
                self._curl(command, status, where)
            else:
                self._run(command, where)

    def python(self, block: Block) -> None:
        """Run all of the page's Python when the last block of it comes, with its own lines."""
        ours = [each for each in self._blocks if each.language == "python"]
        if block is not ours[-1]:
            return
        lines: list[str] = []
        for each in ours:
            lines += [""] * (each.line - 1 - len(lines)) + each.text.splitlines()
        file = self._clone / f"{block.page.stem}.py"
        file.write_text("\n".join(lines).replace(DEFAULT_ADDRESS, self._host()))
        told = self._start([sys.executable, str(file)], block.place)
        assert PRINTED.get(block.page.stem, "") in told, block.place

    def answer(self, block: Block) -> None:
        """Compare with the last JSON that was answered or written: the same names and types.

        Of JSON lines the first is compared.
        """
        first, end = json.JSONDecoder().raw_decode(block.text)
        for line in block.text[end:].splitlines():
            assert not line or json.loads(line), block.place
        assert shape(first) == shape(self._answer), block.place

    def _curl(self, command: str, status: int, where: str) -> None:
        words = shlex.split(self._here(command).replace("$KEY", environment()["KEY"]))
        if "-o" not in words:
            words += ["-o", "answer"]
        told = self._start([*words, "-sS", "-w", "%{http_code}"], where)
        assert told == str(status), f"{where}: {told}, expected {status}"
        file = self._clone / words[words.index("-o") + 1]
        content = file.read_bytes()
        told_json = content[:1] == b"{" and file.suffix != ".bin"  # which has bytes behind it
        self._answer = json.loads(content) if told_json else None
        if "/classify" in command and b'"predictions"' in content:
            assert isinstance(self._answer, dict)
            first = self._answer.get("results", [self._answer])[0]
            expected = "7" if "seven.flac" in command else "cat"
            assert first["predictions"][0]["label"] == expected, where

    def _run(self, command: str, where: str) -> None:
        command = self._here(command)
        if " train " in command:
            command += " --epochs 1"  # enough to see that it works
        if command.startswith("torchrun"):
            shutil.rmtree(self._clone / "runs")  # where it would find the run already done
        if command.startswith("convscope bench"):
            address = "" if self._address in command else f" {self._address}"
            command += f" --warmup 0 --duration 1{address}"
        told = self._start(["bash", "-c", f"set -o pipefail; {command}"], where)
        if written := re.search(r"--out (\S+\.jsonl)", command):
            self._answer = json.loads((self._clone / written[1]).read_text().splitlines()[0])
        for part, expected in ANSWERS.items():
            if part in command and "--json" not in command:
                assert expected in told, where
        if command.startswith("convscope bench") and "--json" in command:
            report = json.loads(told)
            assert report["ok"] == report["sent"] > 0, where

    def _here(self, command: str) -> str:
        return command.replace(DEFAULT_ADDRESS, self._host())

    def _host(self) -> str:
        return self._address.removeprefix("http://")

    def _start(self, words: list[str], where: str) -> str:
        ended = subprocess.run(
            words, cwd=self._clone, env=environment(), capture_output=True, text=True, timeout=300
        )
        assert ended.returncode == 0, f"{where}: {ended.stdout}{ended.stderr}"
        return ended.stdout


def parse(loads: Callable[[str], object]) -> Callable[[Reader, Block], None]:
    """Return what checks a block of settings or data: it can be read."""

    def check(_: Reader, block: Block) -> None:
        assert loads(block.text), block.place

    return check


def table(text: str) -> object:
    """Return the rows of the CSV, all as long as its head."""
    rows = list(csv.reader(text.splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def shown(_: Reader, block: Block) -> None:
    """Let pass what SHOWN knows."""
    assert any(block.text.startswith(begin) for begin in SHOWN), f"{block.place} is not run"


READ: dict[str, Callable[[Reader, Block], None]] = {
    "sh": Reader.shell,
    "python": Reader.python,
    "json": Reader.answer,
    "toml": parse(tomllib.loads),
    "yaml": parse(yaml.safe_load),
    "csv": parse(table),
    "text": shown,
}


def elsewhere(command: str) -> bool:
    return any(re.match(pattern, command) for pattern in ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_of_a_kind_that_is_checked(page: Path) -> None:
    """A language that nobody handles, or a command of a new kind, must not go untested."""
    for block in blocks(page):
        assert block.language in READ, f"{block.place}: {block.language or 'no language'}"
        if block.language == "sh":
            for _, command, _ in commands(block):
                program = command.removeprefix(".venv/bin/").split()[0]
                assert elsewhere(command) or program in PROGRAMS, f"{block.place}: {command}"


def test_every_exception_is_needed() -> None:
    """Nothing stays in the lists of exceptions when the block it was for is gone."""
    all_blocks = [block for page in PAGES for block in blocks(page)]
    lines = [line for block in all_blocks for _, line, _ in commands(block)]
    for pattern in ELSEWHERE:
        assert any(re.match(pattern, line) for line in lines), pattern
    for begin in SHOWN:
        assert any(block.text.startswith(begin) for block in all_blocks), begin


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_does_what_it_says(page: Path, clone: Path, address: str, done: set[str]) -> None:
    """Each command, program and answer of the page holds, in the order in which they stand."""
    Reader(page, clone, address, done).do_all()
    if page.stem in LEFT:
        LEFT[page.stem](clone)


def check_processes(clone: Path) -> None:
    """Two processes trained one net together: both took their share of one step an epoch."""
    run_folder = clone / "runs" / "my_photos-resnet20-0"
    assert json.loads((run_folder / "run.json").read_text())["processes"] == 2
    # the batch of 128 is larger than the 48 pictures: one step an epoch, shared by both
    checkpoint = torch.load(run_folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 1


def check_results(clone: Path) -> None:
    """Whole folders were answered: each file has a record or a row, and masks lie where it says."""
    names = sorted(str(file.relative_to(clone)) for file in (clone / "my_photos").rglob("*.png"))
    assert names
    for results in ("results.jsonl", "found.jsonl"):
        assert sorted(record["path"] for record in records_of(clone / results)) == names
    rows = read_table(clone / "results.csv")
    assert sorted(row["path"] for row in rows) == names
    assert "label_3" in rows[0]
    assert (clone / "masks" / "docs" / "samples" / "cat.jpg.mask.png").exists()
    assert {"height", "width", "pixels_sky"} <= set(read_table(clone / "masks.parquet")[0])


# What must lie in the clone when the page was read.
LEFT = {"train": check_processes, "predict": check_results}
