"""A node about to be passed on the walk through a graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from service.graph.facts import Facts
from service.graph.sight import Sight
from service.graph.windows import attributes


@dataclass(frozen=True)
class Step:
    """A node about to be passed.

    sights: of the inputs that depend on the network's input, in order.
    sources: the names of those inputs.
    """

    node: onnx.NodeProto
    facts: Facts
    sights: Sequence[Sight]
    sources: Sequence[str]

    @property
    def sight(self) -> Sight:
        """What the first input sees."""
        return self.sights[0]

    @property
    def source(self) -> str:
        """The name of the first input that depends on the network's input."""
        return self.sources[0]

    @property
    def rank(self) -> int | None:
        """How many axes the output has."""
        return self.facts.rank(self.node.output[0])

    def integers(self, attribute: str, position: int) -> list[int] | None:
        """Return integers given as an attribute (old opsets) or as a constant input (new)."""
        given = attributes(self.node)
        if attribute in given:
            value = given[attribute]
            return [value] if isinstance(value, int) else list(value)
        if position < len(self.node.input) and self.node.input[position]:
            return self.facts.integers(self.node.input[position])
        return None
