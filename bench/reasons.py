"""How well explanations point: known truths, and deletion and insertion.

    python -m bench.reasons --data ../shared/data [--pictures 60] [--write]

Test pictures are pasted at half their size onto a canvas of the model's mean colour, at places
drawn by a fixed seed; those that the model still knows for what they are count. Pointing (Zhang et
al., ECCV 2016): how often the strongest cell overlaps the picture, which is where the object must
be, and how often its middle lies there. A cell at any place by chance would do so as often as the
last row tells. Deletion hides the pixels of the whole picture from the strongest on, insertion
shows them on the mean colour (Petsiuk, Das and Saenko, BMVC 2018): the area under the class's
probability should be small for the one and large for the other. The order by chance is of blocks
as large as a cell.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.chaos.server import ROOT
from bench.sections import RESULTS, write_section
from bench.serving.machine import describe_machine
from service.contract.manifest import image_spec
from service.contract.preprocess import Pixels, preprocess_image
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import ServedModel
from service.tasks.reasons.plan import Method
from service.tasks.reasons.question import Explanation, Question, Subject
from service.tasks.reasons.target import Target
from service.tasks.reasons.whole import Hiding
from service.wiring import open_live
from training.data.layouts import load_dataset

_MODELS = ("flowers", "cifar10")  # which their data sets are called, too
_STEPS = 16


class Case(NamedTuple):
    """A model input, its class, and the box of the object in it: top, left, side."""

    inputs: Pixels
    class_index: int
    box: tuple[int, int, int]


def main() -> None:
    """Measure, and report."""
    options = _options()
    live = open_live(Settings(models_dir=ROOT / "models", device="cpu"), Runners(1))
    tables = [
        _table(live.catalog.get(name), options.data / name, options.pictures) for name in _MODELS
    ]
    machine = describe_machine(("onnxruntime-gpu", "onnxruntime", "numpy"))
    command = " ".join(["python -m bench.reasons", *sys.argv[1:]])
    text = "\n\n".join(["## Explanations", f"`{command}`. {machine}", *tables])
    print(text)
    if options.write:
        write_section("reasons", text)


def _table(model: ServedModel, folder: Path, pictures: int) -> str:
    """Return a table of all methods; those on canvases and whole pictures are other ones."""
    pasted = [case for case in _pasted(model, folder, pictures) if _is_known(model, case)]
    whole = [case for case in _whole(model, folder, pictures) if _is_known(model, case)]
    lines = [
        f"`{model.manifest.name}`: {len(pasted)} pictures on canvases, {len(whole)} whole ones.",
        "",
        "| method | cell overlaps | middle inside | deletion | insertion |",
        "|---|---|---|---|---|",
    ]
    jump = 0.0
    for method in model.reasons.plan().methods():
        told = [_explained(model, case, method) for case in pasted]
        shares = _pointing(told, pasted)
        areas = [
            _areas(model, case, _heat(_explained(model, case, method), case)) for case in whole
        ]
        lines.append(f"| {method} | {shares} | {_spell(areas)} |")
        jump = jump or told[0].grid.jump[0]
    side, half = image_spec(model.manifest).height, pasted[0].box[2]
    random = np.random.default_rng(1)
    areas = [_areas(model, case, _by_chance(random, case)) for case in whole]
    shares = f"{((half + jump) / side) ** 2:.1%} | {(half / side) ** 2:.1%}"
    lines.append(f"| by chance | {shares} | {_spell(areas)} |")
    return "\n".join(lines)


def _pasted(model: ServedModel, folder: Path, pictures: int) -> Iterator[Case]:
    """Yield pictures at half their size, somewhere on a canvas of the mean colour."""
    spec, random = image_spec(model.manifest), np.random.default_rng(0)
    side = spec.height // 2
    for whole in _whole(model, folder, pictures):
        canvas = np.empty_like(whole.inputs)
        canvas[:] = np.rint(np.array(spec.mean) * 255)
        top, left = random.integers(0, spec.height - side + 1, 2).tolist()
        small = Image.fromarray(whole.inputs).resize((side, side), Image.Resampling.BILINEAR)
        canvas[top : top + side, left : left + side] = np.asarray(small)
        yield Case(canvas, whole.class_index, (top, left, side))


def _whole(model: ServedModel, folder: Path, pictures: int) -> Iterator[Case]:
    spec, test = image_spec(model.manifest), load_dataset(folder).splits["test"]
    for number in np.linspace(0, len(test) - 1, pictures).astype(int).tolist():
        inputs = preprocess_image(test.read(number), spec)
        yield Case(inputs, int(test.labels[number]), (0, 0, spec.height))


def _is_known(model: ServedModel, case: Case) -> bool:
    """Tell whether the model knows the picture for what it is."""
    return int(_run(model, case.inputs[None])[0].argmax()) == case.class_index


def _run(model: ServedModel, batch: NDArray[np.uint8]) -> NDArray[np.floating]:
    return np.stack(model.classifying().task.run(list(batch), False))


def _blank(model: ServedModel) -> NDArray[np.float32]:
    return np.array(image_spec(model.manifest).mean, np.float32) * 255


def _explained(model: ServedModel, case: Case, method: Method) -> Explanation:
    question = Question(method, class_index=case.class_index)
    steps = model.reasons.explain(question, Subject(case.inputs, _blank(model)))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Explanation = end.value
            return found


def _pointing(told: Sequence[Explanation], cases: Sequence[Case]) -> str:
    """Return the share whose strongest cell overlaps the box, and whose middle lies in it."""
    overlaps, inside = [], []
    for found, case in zip(told, cases, strict=True):
        y, x = found.peak or (np.inf, np.inf)
        top, left, side = case.box
        reach = [along / 2 for along in found.grid.jump]
        overlaps.append(
            top - reach[0] < y < top + side + reach[0]
            and left - reach[1] < x < left + side + reach[1]
        )
        inside.append(top <= y < top + side and left <= x < left + side)
    return f"{np.mean(overlaps):.1%} | {np.mean(inside):.1%}"


def _heat(found: Explanation, case: Case) -> NDArray[np.floating]:
    """Return the map at every pixel of the input, (H, W)."""
    rows, columns = (np.arange(size) + 0.5 for size in case.inputs.shape[:2])
    return found.grid.sample(found.values, rows, columns)


def _by_chance(random: np.random.Generator, case: Case) -> NDArray[np.floating]:
    height, width = case.inputs.shape[:2]
    block = np.ones((-(-height // 7), -(-width // 7)))
    return np.kron(random.random((7, 7)), block)[:height, :width]


def _areas(model: ServedModel, case: Case, heat: NDArray[np.floating]) -> tuple[float, float]:
    """Return the areas under the probability as pixels are hidden, and as they are shown."""
    order = np.argsort(-heat, axis=None, kind="stable")
    rank = np.empty(heat.size)
    rank[order] = np.linspace(0, 1, heat.size)
    shares = np.linspace(0, 1, _STEPS + 1)[:, None, None]
    strongest = (rank.reshape(heat.shape) < shares).astype(np.float32)
    target = Target(case.class_index, np.ones(1, np.bool_), 0.0)
    hiding = Hiding(partial(_run, model), case.inputs, _blank(model), target)
    deletion, insertion = hiding.probabilities(1 - strongest), hiding.probabilities(strongest)
    return float(np.trapezoid(deletion) / _STEPS), float(np.trapezoid(insertion) / _STEPS)


def _spell(areas: Sequence[tuple[float, float]]) -> str:
    deletion, insertion = np.mean(areas, axis=0)
    return f"{deletion:.3f} | {insertion:.3f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.reasons", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--pictures", type=int, default=60, help="of each test set")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
