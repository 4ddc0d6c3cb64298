"""The way of pictures to a graph."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from onnx import TensorProto

from service.adopt.asked import Asked, Resize
from service.adopt.compose import Ends
from service.adopt.findings import Finding
from service.adopt.inputs import GraphInput
from service.adopt.normalise import choose_normalisation
from service.adopt.pictures import PictureInput, read_picture
from service.adopt.pieces import Piece
from service.adopt.presets import PRESETS, Normalisation
from service.adopt.prologue import picture_prologue
from service.adopt.refusal import CannotAdd
from service.adopt.samples import sample_pictures
from service.adopt.source import Source
from service.contract.specs import FREE_SIZE, ImagePreprocessing


@dataclass(frozen=True)
class PictureSide:
    """A picture as the graph takes it, what is done to its numbers, and how it gets its size."""

    picture: PictureInput
    normalisation: Normalisation
    spec: ImagePreprocessing

    @property
    def given(self) -> GraphInput:
        return self.picture.given

    def samples(self, count: int) -> NDArray[Any]:
        return sample_pictures(count, *self.spec.reference_size, self.picture.channels)

    def numbers(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return self.picture.numbers(inputs, self.normalisation)

    def prologue(self, opset: int) -> Piece:
        return picture_prologue(self.picture, self.normalisation, opset)

    def ends(self, batch: int | None) -> Ends:
        return Ends((batch, *self.spec.input_shape[1:]), TensorProto.UINT8)


def read_picture_side(
    source: Source, given: GraphInput, asked: Asked
) -> tuple[PictureSide, list[Finding]]:
    """Return how pictures become what the graph takes; raises CannotAdd."""
    if asked.sample_rate_hz or asked.window_s or asked.hop_s:
        raise CannotAdd("--sample-rate, --window-seconds and --hop-seconds are for sounds.")
    picture, steps, findings = read_picture(source.model, given, asked)
    normalisation, told = choose_normalisation(picture, steps, asked)
    spec, resized = _spec(picture, normalisation, asked)
    return PictureSide(picture, normalisation, spec), [*findings, *told, resized]


def _spec(
    picture: PictureInput, normalisation: Normalisation, asked: Asked
) -> tuple[ImagePreprocessing, Finding]:
    segments = asked.task == "image-segmentation"
    usual: Resize = "squash" if segments else "shortest_side_center_crop"
    resize = asked.resize or usual
    if resize in FREE_SIZE and not (segments and picture.free):
        raise CannotAdd(
            f"--resize {resize} is for segmenters that take pictures of any size; this one takes "
            f"{picture.height}x{picture.width} px."
        )
    if segments and resize == "shortest_side_center_crop":
        raise CannotAdd("A segmenter must see the whole picture: --resize must not crop.")
    preset = PRESETS[asked.preset].crop_fraction if asked.preset else None
    crops = resize == "shortest_side_center_crop"
    fraction = (asked.crop_fraction or preset or 1.0) if crops else 1.0
    if asked.crop_fraction and not crops:
        raise CannotAdd("--crop-fraction is for --resize shortest_side_center_crop.")
    spec = ImagePreprocessing(
        color="rgb" if picture.channels == 3 else "gray",
        resize=resize,
        height=picture.height,
        width=picture.width,
        crop_fraction=fraction,
        multiple=asked.multiple,
        mean=normalisation.mean,
        std=normalisation.std,
    )
    shown = f"{resize}, {fraction:g} of the shorter side" if crops else resize
    if asked.resize:
        return spec, Finding("resize", shown, "told", "--resize")
    if crops and preset and not asked.crop_fraction:
        because = f"as {asked.preset} has it; --resize and --crop-fraction override"
        return spec, Finding("resize", shown, "likely", because)
    return spec, Finding(
        "resize", shown, "unknown", "no file tells; --resize and --crop-fraction override"
    )
