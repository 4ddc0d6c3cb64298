"""A split of a segmentation data set: decoded pictures with their masks."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Color
from service.contract.specs import ImagePreprocessing
from training.data.canvas import to_canvas
from training.data.layouts import InvalidData
from training.data.pictures import Reader

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scenes:
    """Pictures with a class for every pixel, decoded when asked for.

    read: decodes picture i to (H, W, 3) uint8, as `decode_image` does.
    mask: decodes mask i to (H, W) uint8 class indices, VOID where there is none.
    names: what picture i is called inside the data set.
    """

    read: Reader
    mask: Callable[[int], Pixels]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, indices: NDArray[np.int64]) -> "Scenes":
        """Return the scenes at `indices`, in that order."""

        def read(i: int, enough_px: int | None = None) -> Pixels:
            return self.read(int(indices[i]), enough_px)

        names = [self.names[i] for i in indices]
        return Scenes(read, lambda i: self.mask(int(indices[i])), names)

    def pair(self, i: int) -> tuple[Pixels, Pixels]:
        """Return picture and mask; raises InvalidData if their sizes differ."""
        pixels, mask = self.read(i), self.mask(i)
        if pixels.shape[:2] != mask.shape:
            raise InvalidData(
                f"{self.names[i]}: the picture has {pixels.shape[1]}x{pixels.shape[0]} pixels, "
                f"its mask {mask.shape[1]}x{mask.shape[0]}"
            )
        return pixels, mask

    def model_inputs(self, spec: ImagePreprocessing) -> tuple[Pixels, Pixels]:
        """Return all pictures (N, H, W, C) and masks (N, H, W), uint8; see `to_canvas`."""
        height, width = spec.reference_size
        images = np.empty((len(self), height, width, spec.channels), np.uint8)
        masks = np.empty((len(self), height, width), np.uint8)

        def fill(i: int) -> None:
            pair = self.pair(i)
            try:
                images[i], masks[i] = to_canvas(*pair, spec)
            except InvalidData as error:
                raise InvalidData(f"{self.names[i]}: {error}") from error

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fill, range(len(self))))
        return images, masks


@dataclass(frozen=True)
class SceneSet:
    """Splits by name (`train` always, `test` and `validation` if there), and the classes.

    colors: of the classes in pictures of masks, in the same order.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[Color, ...]
    splits: dict[str, Scenes]

    def digest(self) -> str:
        """Return a sha256 over the classes and every scene's split, name and mask.

        Raises: InvalidData if any mask of any split is broken or has a value of no class.
        """
        whole = hashlib.sha256(repr((self.classes, self.colors)).encode())
        for split, scenes in sorted(self.splits.items()):
            for i in sorted(range(len(scenes)), key=scenes.names.__getitem__):
                mask = scenes.mask(i)
                whole.update(f"{split}\t{scenes.names[i]}\t{mask.shape}\n".encode())
                whole.update(mask.tobytes())
        return whole.hexdigest()
