"""What docs/predict.md tells of files that fail and of exit codes; its commands run elsewhere."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from service.cli import main
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "predict.md"


def test_record_of_a_broken_file_is_as_shown(tmp_path: Path) -> None:
    """The second record of the page is one of a file that is cut short."""
    (block,) = (block for block in blocks(PAGE) if block.language == "json")
    shown = json.loads(block.text.splitlines()[1])
    (tmp_path / "b.jpg").write_bytes((ROOT / "docs/samples/cat.jpg").read_bytes()[:2000])
    words = ["predict", str(tmp_path / "b.jpg"), "--model", "cifar10", "--quiet"]
    where = ["--models-dir", str(ROOT / "models"), "--out", str(tmp_path / "found.jsonl")]
    done = CliRunner().invoke(main, [*words, *where])

    assert done.exit_code == 1, done.output
    found = json.loads((tmp_path / "found.jsonl").read_text())
    assert list(found) == list(shown)
    assert found["error"]["type"] == shown["error"]["type"]
    # what Pillow says of it comes behind the colon
    assert found["error"]["detail"].partition(":")[0] == shown["error"]["detail"].partition(":")[0]


def test_exit_codes_are_those_of_the_help() -> None:
    """The page and --help know the same."""
    text = CliRunner().invoke(main, ["predict", "--help"]).output
    told = re.findall(r"^  (\d+) ", text, re.MULTILINE)
    table = PAGE.read_text().partition("| code |")[2].partition("\n## ")[0]
    assert told == re.findall(r"^\| (\d+)", table, re.MULTILINE)
