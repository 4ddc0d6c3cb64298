"""What pictures and sounds have in common where a graph is adopted for them."""

from typing import Any, Protocol

from numpy.typing import NDArray

from service.adopt.compose import Ends
from service.adopt.inputs import GraphInput
from service.adopt.pieces import Piece
from service.contract.specs import AudioPreprocessing, ImagePreprocessing


class Side(Protocol):
    """How what is decoded becomes what the graph takes."""

    @property
    def given(self) -> GraphInput:
        """The original's input."""

    @property
    def spec(self) -> ImagePreprocessing | AudioPreprocessing:
        """For the manifest."""

    def samples(self, count: int) -> NDArray[Any]:
        """Return inputs of the composed graph to try it on."""

    def numbers(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return what the original is to be fed for them, computed without any graph."""

    def prologue(self, opset: int) -> Piece:
        """Return the nodes that do the same."""

    def ends(self, batch: int | None) -> Ends:
        """Return how the composed graph begins."""
