"""`convscope compare`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests.net_models import changed_weight, small_net, write_net
from tests.pictures import flat
from tests.tiny_models import write_model


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nets that differ in one weight, another net, and a picture."""
    root = tmp_path_factory.mktemp("clone")
    write_net(root / "models", small_net(), "before")
    write_net(root / "models", changed_weight(small_net(), "conv2/Conv", by=1.0), "after")
    write_model(root / "models")
    (root / "red.png").write_bytes(flat("red", "PNG"))
    return root


def compare(root: Path, *words: str, file: str = "red.png") -> Result:
    flags = ["--models-dir", str(root / "models"), "--device", "cpu"]
    return CliRunner().invoke(main, ["compare", *words[:2], str(root / file), *words[2:], *flags])


def test_table_has_a_row_a_layer(root: Path) -> None:
    """Shape and four figures each, zero before what was changed."""
    done = compare(root, "before", "after@1")
    assert done.exit_code == 0, done.output
    verdict, head, *rows = done.output.splitlines()
    assert "they agree; probabilities differ by up to" in verdict
    assert head.split() == ["layer", "shape", "max", "mean", "relative", "cosine"]
    by_name = {row.split()[0]: row.split()[1:] for row in rows}
    assert by_name["relu1/Relu"][:4] == ["4x12x12", "0", "0", "0"]
    assert float(by_name["conv2/Conv"][3]) > 0


def test_layers_that_are_not_compared_are_counted(root: Path) -> None:
    """With the reason, and the first names."""
    done = compare(root, "before", "colors")
    assert done.exit_code == 0, done.output
    assert "not compared, only the first model has it: " in done.output
    assert "..." in done.output


def test_json_is_that_of_the_server(root: Path) -> None:
    """And the picture is written beside it."""
    done = compare(root, "before", "after", "--json", "--save", str(root / "depth.png"))
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert [model["name"] for model in found["models"]] == ["before", "after"]
    assert found["layers"][-1]["relative_difference"] > 0
    assert (root / "depth.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "file", "sentence"),
    [
        (("before", "aftr"), "red.png", "Did you mean 'after'"),
        (("before", "after@7"), "red.png", "There is no version '7'"),
        (("before", "after"), "models/before/1/CARD.md", "Error: "),
        (("before", "after"), "missing.png", "No such file"),
    ],
)
def test_what_goes_wrong_is_a_sentence(
    root: Path, words: tuple[str, str], file: str, sentence: str
) -> None:
    """And the exit code is 1."""
    done = compare(root, *words, file=file)
    assert done.exit_code == 1
    assert sentence in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
