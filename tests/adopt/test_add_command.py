import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx import helper, numpy_helper

from service.cli import main
from service.commands.check import check
from tests.adopt.added import ZERO_ONE, added, say
from tests.adopt.graphs import classifier, save
from tests.pictures import flat

LABELS = {"0": ["n1", "ant"], "1": ["n2", "bee"], "2": ["n3", "cat"], "3": ["n4", "dog"],
          "4": ["n5", "eel"]}  # fmt: skip


def test_added_model_passes_check_and_answers(tmp_path: Path) -> None:
    """The commands that are printed work: predict and layers; so does check."""
    (tmp_path / "labels.json").write_text(json.dumps(LABELS))
    file, root = save(tmp_path, classifier()), tmp_path / "models"
    added(file, root, *ZERO_ONE, "--labels", str(tmp_path / "labels.json"))
    (tmp_path / "picture.png").write_bytes(flat("red", "PNG"))

    run = CliRunner().invoke
    checked = run(check, [str(root), "--device", "cpu"])
    assert (checked.exit_code, checked.output[:10]) == (0, "OK       n")
    common = ["--models-dir", str(root), "--device", "cpu"]
    answered = run(main, ["predict", str(tmp_path / "picture.png"), "--model", "net", *common])
    assert answered.exit_code == 0, answered.output
    assert any(animal in answered.output for animal in ("ant", "bee", "cat", "dog", "eel"))
    listed = run(main, ["layers", "net", *common])
    assert "block.conv/Conv" in listed.output


def test_table_tells_what_was_inferred_and_how_surely(tmp_path: Path) -> None:
    """Each line has a value, how sure it is, and the flag that overrides it."""
    told = added(save(tmp_path, classifier(batch=1)), tmp_path, *ZERO_ONE).told

    rows = {line.split("  ")[0]: line for line in told.splitlines()}
    assert "NCHW" in rows["layout"]
    assert "certain" in rows["layout"]
    assert "likely" in rows["gives"]
    assert "--gives overrides" in rows["gives"]
    assert "unknown" in rows["channel order"]
    assert "any" in rows["batch"]
    assert "Classes have numbers for names" in told


@pytest.mark.parametrize(
    ("mean", "factor", "preset"), [(127.5, 1 / 127.5, "raw"), (0.5, 2.0, "zero_one")]
)
def test_normalisation_in_the_graph_is_seen(
    tmp_path: Path, mean: float, factor: float, preset: str
) -> None:
    """A graph that normalises by itself needs no preset, and says what it was taken for."""
    extra = [
        helper.make_node("Constant", [], ["mean"], value_float=mean),
        helper.make_node("Constant", [], ["factor"], value_float=factor),
        helper.make_node("Sub", ["pictures", "mean"], ["less"]),
        helper.make_node("Mul", ["less", "factor"], ["scaled"]),
    ]
    one = added(save(tmp_path, classifier(extra=extra)), tmp_path)

    (line,) = (line for line in one.told.splitlines() if line.startswith("normalisation"))
    assert line.split()[1:3] == [preset, "likely"]
    assert "begins with Sub, Mul; --preset overrides" in line


def test_manifest_and_card_say_where_the_model_is_from(tmp_path: Path) -> None:
    """The original's name and digest, golden outputs of the original, no accuracy, the licence."""
    file = save(tmp_path, classifier(), "somebody's net.onnx")
    one = added(file, tmp_path / "models", *ZERO_ONE, "--license", "MIT")

    manifest = one.manifest
    original = manifest.provenance.original
    assert original is not None
    assert original.name == "somebody's net.onnx"
    assert original.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest.provenance.recipe is None
    assert manifest.golden.of == "original"
    assert (manifest.metrics, manifest.license) == ((), "MIT")
    card = (one.folder / "CARD.md").read_text()
    assert "Not known: nothing was measured" in card
    assert original.sha256 in card


def test_changed_version_is_not_loaded(tmp_path: Path) -> None:
    """Golden outputs are the original's: other weights in the same graph are found out."""
    one = added(save(tmp_path, classifier()), tmp_path / "models", *ZERO_ONE)
    other = classifier()
    (weight,) = (tensor for tensor in other.graph.initializer if tensor.name == "fc.weight")
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), "fc.weight"))
    replaced = added(save(tmp_path, other), tmp_path / "others", *ZERO_ONE)
    (replaced.folder / "golden.npz").write_bytes((one.folder / "golden.npz").read_bytes())
    manifest = json.loads((replaced.folder / "manifest.json").read_text())
    manifest["golden"] = json.loads((one.folder / "manifest.json").read_text())["golden"]
    (replaced.folder / "manifest.json").write_text(json.dumps(manifest))

    checked = CliRunner().invoke(check, [str(tmp_path / "others"), "--device", "cpu"])
    assert checked.exit_code == 1
    assert "differs from the golden one" in checked.output


def test_labels_in_broken_json_get_a_sentence(tmp_path: Path) -> None:
    """An object that leaves an index out."""
    (tmp_path / "labels.json").write_text('{"0": "ant", "2": "cat"}')
    flags = (*ZERO_ONE, "--labels", str(tmp_path / "labels.json"))
    result = say(save(tmp_path, classifier()), tmp_path / "models", *flags)

    assert (result.exit_code, "from each class index" in result.output) == (1, True)
