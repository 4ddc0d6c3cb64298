"""`convscope add` as a test runs it, and what it made."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from click.testing import CliRunner
from numpy.typing import NDArray

from service.commands.add import add
from service.contract.manifest import Manifest, read_manifest
from service.device import ON_CPU
from service.loader import load_version
from service.runtime import open_session
from service.tasks.features import FeatureMaps

ZERO_ONE = ("--preset", "zero_one")


@dataclass(frozen=True)
class Added:
    """A version that was written, and what was printed."""

    folder: Path
    told: str

    @property
    def manifest(self) -> Manifest:
        return read_manifest(self.folder)

    @property
    def graph(self) -> onnx.ModelProto:
        return onnx.load(self.folder / "model.onnx")

    def run(self, inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What the version answers, loaded as a server loads it."""
        loaded = load_version(self.folder, self.folder.parents[1], ON_CPU)
        return loaded.session.run({self.manifest.graph.inputs[0].name: inputs})

    def maps(self) -> FeatureMaps:
        """Its feature maps, as a server makes them."""
        graph, size = self.manifest.graph, self.manifest.preprocessing.reference_size
        opened = lambda prefix: open_session(prefix, "prefix", ON_CPU).run  # noqa: E731
        read = partial(onnx.load, self.folder / "model.onnx")
        return FeatureMaps(read, graph, opened, max_prefixes=1, size=size)

    def sample(self) -> NDArray[Any]:
        """The first golden input, as a batch of one."""
        name = self.manifest.graph.inputs[0].name
        with np.load(self.folder / "golden.npz") as stored:
            sample: NDArray[Any] = stored[f"input.{name}"][:1]
        return sample

    def exposed(self, names: list[str]) -> dict[str, NDArray[Any]]:
        """Values of the tensors for the sample, from the whole graph with them as outputs."""
        whole = self.graph
        outputs = {value.name for value in whole.graph.output}
        whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in outputs)
        given = self.manifest.graph.inputs[0]
        sample = self.sample()
        nothing = np.zeros_like(sample)
        inputs = np.concatenate([sample, *([nothing] * ((given.shape[0] or 1) - 1))])
        session = open_session(bytes(whole.SerializeToString()), "whole", ON_CPU)
        return session.run({given.name: inputs})


def say(file: Path, root: Path, *flags: str, task: str = "image-classification") -> Any:
    """Run the command and return its result, whatever it is."""
    words = [str(file), "--models-dir", str(root), "--device", "cpu", "--task", task]
    return CliRunner().invoke(add, [*words, "--name", "net", *flags])


def added(file: Path, root: Path, *flags: str, task: str = "image-classification") -> Added:
    """Add the file, which must work."""
    result = say(file, root, *flags, task=task)
    assert result.exit_code == 0, result.output
    return Added(root / "net" / "1", result.output)


def assert_maps_are_those_of_the_whole(one: Added, count: int = 3) -> None:
    """Maps from all parts of the depth equal what the whole graph has there."""
    taps = [tap.name for tap in one.manifest.graph.taps]
    chosen = [taps[len(taps) * (2 * part + 1) // (2 * count)] for part in range(count)]
    maps, sample = one.maps(), one.sample()
    whole = one.exposed(chosen)
    for name in chosen:
        found, expected = maps.compute(name, sample).values, whole[name][0]
        assert found.shape == expected.shape == tuple(maps.tap(name).shape)
        np.testing.assert_allclose(found, expected, 1e-5, 1e-5 * max(1, np.abs(expected).max()))
