"""A split of a data set: decoded pictures with labels, whatever layout they came from."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.contract.preprocess import enough_px, preprocess_image
from service.contract.specs import ImagePreprocessing


class Reader(Protocol):
    """Decodes a picture of a split."""

    def __call__(self, i: int, enough_px: int | None = None) -> NDArray[np.uint8]: ...


def already_decoded(picture: Callable[[int], NDArray[np.uint8]]) -> Reader:
    """Return a reader of pictures that are pixels already, so that their size is no matter."""

    def read(i: int, enough_px: int | None = None) -> NDArray[np.uint8]:
        return picture(i)

    return read


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures that are decoded when asked for.

    read: decodes picture i to (H, W, 3) uint8, as `decode_image` does.
    labels: (N,) int64 class indices.
    names: what picture i is called inside the data set.
    """

    read: Reader
    labels: NDArray[np.int64]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: NDArray[np.int64]) -> "Pictures":
        """Return the pictures at `indices`, in that order."""
        names = [self.names[i] for i in indices]

        def read(i: int, enough_px: int | None = None) -> NDArray[np.uint8]:
            return self.read(int(indices[i]), enough_px)

        return Pictures(read, self.labels[indices], names)

    def model_inputs(self, spec: ImagePreprocessing) -> NDArray[np.uint8]:
        """Return all pictures as model inputs (N, height, width, C) uint8, as served."""
        shape = (len(self), spec.height, spec.width, spec.channels)
        inputs = np.empty(shape, np.uint8)

        def fill(i: int) -> None:
            inputs[i] = preprocess_image(self.read(i, enough_px(spec)), spec)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fill, range(len(self))))
        return inputs


class Labelled(Protocol):
    """Anything with one label each: pictures or sounds."""

    @property
    def labels(self) -> NDArray[np.int64]: ...

    @property
    def names(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def subset(self, indices: NDArray[np.int64]) -> "Labelled": ...


Items = TypeVar("Items", bound=Labelled)


@dataclass(frozen=True)
class DataSet(Generic[Items]):
    """Splits by name (`train` always, `test` and `validation` if there), and class names."""

    name: str
    classes: tuple[str, ...]
    splits: dict[str, Items]

    def digest(self) -> str:
        """Return a sha256 over every item's split, name and label."""
        lines = [
            f"{split}\t{name}\t{label}\n"
            for split, items in sorted(self.splits.items())
            for name, label in sorted(zip(items.names, items.labels.tolist(), strict=True))
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
