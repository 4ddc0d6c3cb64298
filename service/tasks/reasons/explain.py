"""Why a model says what it says: maps of its input, from the file that is served."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from service.contract.errors import ModelNotReady
from service.contract.manifest import Manifest
from service.graph.layers import Layer
from service.graph.suffix import cut_in_two
from service.tasks.features import FeatureMaps
from service.tasks.kept import Kept, Once
from service.tasks.reasons.ablation import ablation_cam
from service.tasks.reasons.cam import cam
from service.tasks.reasons.eigen import eigen_cam
from service.tasks.reasons.grid import Grid, grid_of
from service.tasks.reasons.halves import Array, Run, TwoHalves
from service.tasks.reasons.occlusion import occlusion, patch_grid
from service.tasks.reasons.plan import Method, Plan, make_plan
from service.tasks.reasons.portions import Portions, portions_of
from service.tasks.reasons.question import Explanation, Question, Subject
from service.tasks.reasons.score import score_cam
from service.tasks.reasons.target import Target, choose_target
from service.tasks.reasons.weighing import Steps, Weighed
from service.tasks.reasons.whole import Hiding, RunWhole

Told = Steps[Explanation]
# The widest last maps in use, those of ResNet-50 and its kin, have so many channels.
_MOST_ABLATIONS = 2048
# Each takes a run of the whole graph.
_MOST_MASKS, _MOST_PATCHES = 64, 196
# Pairs of halves; each pair weighs as much as the model.
_MOST_KEPT = 4
# Values that differ by a smaller part of the largest are the same: it is what rounding leaves.
_SAME = 1e-6


class Reasons:
    """Explanations of one graph, from halves of it that are cut when first asked for.

    read: returns the graph with all its weights; called when it is first needed.
    open_graph: makes a serialised model runnable.
    run: the whole graph, inputs to probabilities.
    max_bytes: what the weights in all halves that are kept may take together.

    May be called from several threads; halves wanted by many are built once.
    """

    def __init__(
        self,
        read: Callable[[], onnx.ModelProto],
        manifest: Manifest,
        features: FeatureMaps,
        open_graph: Callable[[bytes], Run],
        run: RunWhole,
        max_bytes: int = 2**28,
    ) -> None:
        self._manifest, self._features, self._run = manifest, features, run
        # As in FeatureMaps, nothing here refers to `self`.
        plan = Once(lambda: make_plan(read(), features.layers(), manifest))
        self._plan = plan
        name = manifest.graph.inputs[0].name
        self._halves: Kept[str, TwoHalves] = Kept(
            lambda tap: _cut(plan(), tap, name, open_graph),
            _MOST_KEPT,
            lambda halves: halves.size_bytes,
            max_bytes,
        )

    def plan(self) -> Plan:
        """Return what can be asked; reads the graph when first called."""
        return self._plan()

    def explain(self, question: Question, subject: Subject) -> Told:
        """Return the explanation, in steps.

        Raises: UnknownLayer; InvalidParameter if that cannot be asked of the model.
        """
        plan = self._plan()
        method = plan.default_method() if question.method == "auto" else question.method
        named = None if question.layer is None else self._features.tap(question.layer).name
        layer = plan.layer_for(method, named)
        probabilities = self._run(subject.inputs[None])[0]
        place = _index(subject.place, probabilities.shape[1:])
        target = choose_target(probabilities, question.class_index, place, subject.own)
        yield
        work = _Work(plan, method, subject, target, self._run)
        if layer is None:
            return (yield from work.occlusion())
        maps = self._features.compute(layer.name, subject.inputs[None]).values
        yield
        return (yield from work.of_layer(layer, maps, partial(self._halves, layer.name)))


@dataclass
class _Work:
    """One explanation in the making."""

    plan: Plan
    method: Method
    subject: Subject
    target: Target
    run: RunWhole

    def occlusion(self) -> Told:
        hiding = self._hiding()
        if self.target.is_nowhere:
            grid, cells = patch_grid(hiding.size, _MOST_PATCHES)
            return self._told(None, Weighed(np.zeros(cells, np.float32)), grid, None, 0)
        found, grid = yield from occlusion(hiding, self._portions(self.plan.layers, _MOST_PATCHES))
        return self._told(None, found, grid, None, hiding.runs)

    def of_layer(self, layer: Layer, maps: Array, halves: Callable[[], TwoHalves]) -> Told:
        """Return the explanation by the layer's maps (C, ...), which took one run."""
        maps = maps[:, None] if maps.ndim == 2 else maps  # a sequence is one row
        hiding = self._hiding()
        grid = grid_of(layer, (maps.shape[1], maps.shape[2]), hiding.size)
        runs = 1
        if self.target.is_nowhere:
            found = Weighed(np.zeros(maps.shape[1:], np.float32))
        elif self.method == "cam" and self.plan.head:
            found = cam(maps, self.plan.head.weights[self.target.class_index])
        elif self.method == "ablation-cam":
            halfway = halves().begin(self.subject.inputs[None])
            yield
            portions = self._portions(self.plan.behind(layer), _MOST_ABLATIONS)
            found = yield from ablation_cam(halfway, maps, self.target, portions)
            runs += halfway.runs
        elif self.method == "score-cam":
            portions = self._portions(self.plan.layers, _MOST_MASKS)
            found = yield from score_cam(hiding, maps, grid, portions)
        else:
            found = eigen_cam(maps)
        return self._told(layer.name, found, grid, len(maps), runs + hiding.runs)

    def _hiding(self) -> Hiding:
        return Hiding(self.run, self.subject.inputs, self.subject.blank, self.target)

    def _portions(self, layers: Sequence[Layer], most: int) -> Portions:
        return portions_of(layers, self._enlarged(), most)

    def _enlarged(self) -> float:
        reference = self.plan.reference
        return prod(self.subject.inputs.shape[: len(reference)]) / prod(reference)

    def _told(
        self, layer: str | None, found: Weighed, grid: Grid, channels: int | None, runs: int
    ) -> Explanation:
        nowhere = "The model finds this class nowhere in the input." * self.target.is_nowhere
        return Explanation(
            method=self.method,
            layer=layer,
            class_index=self.target.class_index,
            probability=self.target.probability,
            values=found.values,
            grid=grid,
            channels=channels,
            tried=found.tried,
            reason=nowhere or _fault_of(found.values),
            runs=1 + runs,
        )


def _cut(plan: Plan, tap: str, inputs: str, open_graph: Callable[[bytes], Run]) -> TwoHalves:
    try:
        halves = cut_in_two(plan.model, plan.facts, tap, plan.scores)
    except KeyError as error:
        raise ModelNotReady(
            f"The graph has no tensor {error}, which its manifest lists."
        ) from error
    before, after = open_graph(halves.before), open_graph(halves.after)
    size_bytes = len(halves.before) + len(halves.after)
    return TwoHalves(before, after, inputs, tap, plan.scores, halves.sides, size_bytes)


def _index(place: tuple[float, float] | None, shape: Sequence[int]) -> tuple[int, ...] | None:
    """Return the number of the cell at the place along each axis."""
    if place is None:
        return None
    return tuple(min(int(share * size), size - 1) for share, size in zip(place, shape, strict=True))


def _fault_of(values: NDArray[np.float32]) -> str | None:
    """Return why a map says nothing, or None."""
    if not np.isfinite(values).all():
        return "The map has values that are no finite numbers."
    if not values.any():
        return "The map is zero everywhere: nothing here counts for the class."
    if float(np.ptp(values)) <= _SAME * float(np.abs(values).max()):
        return "The map is the same everywhere: it points nowhere."
    if values.max() <= 0:
        return "No cell speaks for the class: none is above zero."
    return None
