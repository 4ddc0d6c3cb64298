"""Picture to mask: the class of every pixel, at the picture's own size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from threading import Event
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np

from service.codecs.image import ImageLimits, decode_image, read_size
from service.contract.errors import DeadlineExceeded, InvalidParameter, TooLarge
from service.contract.frame import Frame, Size, frame_of
from service.contract.manifest import Color
from service.contract.masks import (
    Mask,
    Probability,
    likeliest_bands,
    restore_mask,
    restore_probability,
)
from service.contract.preprocess import Pixels, preprocess_image
from service.contract.specs import FREE_SIZE, ImagePreprocessing
from service.tasks.patchwork import Probabilities, run_in_tiles

Resolution = Literal["model", "original"]
# A larger input is run in tiles unless that is turned off; activations take some hundred times
# the memory of their input.
WHOLE_PX = 1024 * 1024
_TILE_PX = 512
SMALLEST_TILE_PX, LARGEST_TILE_PX = 64, 2048


class Output(NamedTuple):
    """What the graph says of a batch: (N, H, W) class indices and (N, C, H, W) probabilities."""

    masks: Mask
    probabilities: Probabilities


# (N, H, W, C) uint8, and whether nothing else is being worked on
RunMasks = Callable[[Pixels, bool], Output]


@dataclass(frozen=True)
class Question:
    """A picture, and how it is to be segmented.

    tile: side of the tiles in pixels; 0 for none, None for tiles if the input is large.
    resolution: `model` resizes as the model's preprocessing says, `original` not at all.
    class_index: the class whose probability will be asked for, if any.
    certainty: whether `likeliest` will be asked for.
    gone: set when nobody waits for the answer any more.
    """

    data: bytes
    tile: int | None = None
    resolution: Resolution = "model"
    class_index: int | None = None
    certainty: bool = False
    gone: Event = Event()  # noqa: RUF009, one that is never set


@dataclass(frozen=True)
class Segmented:
    """What the model said of a picture's input, and where the picture lies in it.

    mask: (H, W) of the input.
    probabilities: (C, H, W) of the input, by class index. Of a picture that came in tiles and was
        not resampled, only those of the class that was asked for are kept.
    certainty: (H, W) of the input, the probability of the likeliest class; only of a picture that
        came in tiles and was not resampled, and only if it was asked for.
    decode_s: seconds of decoding that were spent within the run.
    """

    frame: Frame
    mask: Mask
    probabilities: Mapping[int, Probability]
    decode_s: float = 0.0
    certainty: Probability | None = None

    def restore(self) -> Mask:
        """Return the class index at every pixel of the picture, (H, W) uint8."""
        return restore_mask(self.mask, list(self.probabilities.values()), self.frame)

    def probability(self, class_index: int) -> Probability:
        """Return the probability of the class at every pixel of the picture, (H, W)."""
        return restore_probability(self.probabilities[class_index], self.frame)

    def likeliest(self) -> Iterator[tuple[slice, Mask, Probability]]:
        """Yield rows of the picture, and of their pixels the class and its probability."""
        if self.certainty is None:
            yield from likeliest_bands(self.mask, list(self.probabilities.values()), self.frame)
        else:
            yield slice(None), self.restore(), restore_probability(self.certainty, self.frame)


class _Prepared(NamedTuple):
    """A question with its input, or with none if that is made while it runs."""

    question: Question
    spec: ImagePreprocessing
    frame: Frame
    tile: int
    inputs: Pixels | None


class Segmenter:
    """Bytes to masks, for one model. `prepare` and `run` are what a batcher needs."""

    def __init__(
        self,
        preprocessing: ImagePreprocessing,
        labels: tuple[str, ...],
        colors: tuple[Color, ...],
        run: RunMasks,
        limits: ImageLimits,
    ) -> None:
        self.labels = labels
        self.colors = colors
        self._spec = preprocessing
        self._run = run
        self._limits = limits
        self._number = count()

    def prepare(self, question: Question) -> tuple[object, _Prepared]:
        """Return what the question may share a batch with, and its model input.

        The input of a large picture is made when it runs, lest many of them wait in memory.
        Raises: what decode_image raises; InvalidParameter.
        """
        spec = self._spec_for(question.resolution)
        frame = frame_of(read_size(question.data, self._limits), spec)
        tile = self._tile(question, spec, frame)
        if tile or _area(frame.outer) > WHOLE_PX:
            return ("large", next(self._number)), _Prepared(question, spec, frame, tile, None)
        pixels = decode_image(question.data, self._limits)
        inputs = preprocess_image(pixels, spec)
        frame = frame_of(pixels.shape[:2], spec)  # what counts is what came out of the file
        return inputs.shape, _Prepared(question, spec, frame, 0, inputs)

    def run(self, prepared: Sequence[_Prepared], alone: bool) -> list[Segmented]:
        """Return what the model says of each; `prepare` made them, with one key."""
        small = [item.inputs for item in prepared if item.inputs is not None]
        if len(small) < len(prepared):
            return [self._run_large(item, alone) for item in prepared]
        output = self._run(np.stack(small), alone)
        return [
            Segmented(item.frame, mask, dict(enumerate(probabilities)))
            for item, mask, probabilities in zip(prepared, *output, strict=True)
        ]

    def picture(self, data: bytes) -> Pixels:
        """Return the picture itself, (H, W, 3) uint8; raises what decode_image raises."""
        return decode_image(data, self._limits)

    def picture_size(self, data: bytes) -> Size:
        """Return the picture's height and width in pixels; raises what read_size raises."""
        return read_size(data, self._limits)

    def segment(self, question: Question) -> Segmented:
        """Return what the model says of the picture; blocks. Raises: as `prepare`."""
        _, prepared = self.prepare(question)
        return self.run([prepared], True)[0]

    def run_inputs(self, inputs: Pixels, alone: bool) -> Output:
        """Return what the model says of inputs (N, H, W, C), as `model_input` makes them."""
        return self._run(inputs, alone)

    def model_input(self, data: bytes) -> Pixels:
        """Return the picture as one model input (H, W, C) uint8.

        Raises: what decode_image raises; TooLarge if the layers of so large a one would not fit.
        """
        frame = frame_of(read_size(data, self._limits), self._spec)
        if _area(frame.outer) > WHOLE_PX:
            raise TooLarge(
                f"The layers of {frame.outer[0]} x {frame.outer[1]} pixels are too large to be "
                f"looked at; at most {WHOLE_PX:,} pixels are taken."
            )
        return preprocess_image(decode_image(data, self._limits), self._spec)

    def _spec_for(self, resolution: Resolution) -> ImagePreprocessing:
        if resolution == "model":
            return self._spec
        if self._spec.resize not in FREE_SIZE:
            raise InvalidParameter(
                "The model takes inputs of one size: resolution must be 'model'."
            )
        return self._spec.model_copy(update={"resize": "none"})

    def _tile(self, question: Question, spec: ImagePreprocessing, frame: Frame) -> int:
        """Return the side of a tile, or 0 for the whole at once."""
        if question.tile == 0 or spec.resize not in FREE_SIZE:
            if question.tile:
                raise InvalidParameter(
                    "The model takes inputs of one size: tiles would not fit it."
                )
            return 0
        asked = question.tile or (_TILE_PX if _area(frame.outer) > WHOLE_PX else 0)
        tile = -(-asked // spec.multiple) * spec.multiple
        return 0 if tile >= max(frame.outer) else tile

    def _run_large(self, item: _Prepared, alone: bool) -> Segmented:
        started = perf_counter()
        pixels = decode_image(item.question.data, self._limits)
        item = item._replace(frame=frame_of(pixels.shape[:2], item.spec))
        if not item.tile:
            inputs = preprocess_image(pixels, item.spec)
            decode_s = perf_counter() - started
            (mask,), (probabilities,) = self._run(inputs[None], alone)
            return Segmented(item.frame, mask, dict(enumerate(probabilities)), decode_s)
        # without the padding: each tile is padded by itself
        inner = preprocess_image(pixels, item.spec.model_copy(update={"multiple": 1}))
        decode_s = perf_counter() - started
        del pixels
        return self._run_tiles(item, inner, alone, decode_s)

    def _run_tiles(self, item: _Prepared, inner: Pixels, alone: bool, decode_s: float) -> Segmented:
        def run(tile: Pixels) -> Probabilities:
            if item.question.gone.is_set():
                raise DeadlineExceeded("Nobody waits for the answer any more.")
            output = self._run(tile[None], alone)
            return np.asarray(output.probabilities[0])

        frame, asked = item.frame, item.question.class_index
        if frame.inner != frame.picture:  # then all are needed for the way back
            wanted: Sequence[int] = range(len(self.labels))
        else:
            wanted = () if asked is None else (asked,)
        mask = np.empty(frame.outer, np.uint8)
        kept = {class_index: np.empty(frame.outer, np.float32) for class_index in wanted}
        sure = item.question.certainty and frame.inner == frame.picture
        certainty = np.empty(frame.outer, np.float32) if sure else None
        size = (item.tile, item.spec.multiple)
        for place, part in run_in_tiles(inner, frame.outer, *size, len(self.labels), run):
            mask[place] = part.argmax(0)
            for class_index, plane in kept.items():
                plane[place] = part[class_index]
            if certainty is not None:
                certainty[place] = part.max(0)
        return Segmented(frame, mask, kept, decode_s, certainty)


def _area(size: Size) -> int:
    return size[0] * size[1]
