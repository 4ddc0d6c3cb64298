"""The parameters of Hugging Face's tasks, as far as a deployed graph can follow them."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.contract.errors import InvalidParameter

Function = Literal["softmax", "sigmoid", "none"]
Asked = TypeVar("Asked", bound=BaseModel)


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageClassificationParameters(_Parameters):
    """Of a classifier of pictures.

    function_to_apply: the probabilities come out of the file ready; only `softmax` is taken.
    """

    top_k: int = Field(5, ge=1, description="How many classes to return, likeliest first.")
    function_to_apply: Function = Field("softmax", description="Only 'softmax'.")

    def check(self) -> None:
        """Raise InvalidParameter if something else than the file's own function is asked."""
        if self.function_to_apply != "softmax":
            raise InvalidParameter(
                f"function_to_apply={self.function_to_apply!r} cannot be had: the deployed file "
                "ends in probabilities, and what was before them does not come out of it."
            )


class AudioClassificationParameters(_Parameters):
    """Of a classifier of sounds, whose logits are there: their mean over the windows."""

    top_k: int = Field(5, ge=1, description="How many classes to return, likeliest first.")
    function_to_apply: Function = Field("softmax", description="Of the logits; 'none' shows them.")


class ImageSegmentationParameters(_Parameters):
    """Of a segmenter, that gives every pixel one class.

    threshold: masks with a lower score are left out.
    mask_threshold: pixels whose class is less probable are in no mask.
    """

    threshold: float = Field(0.0, ge=0, le=1, description="Masks with a lower score are left out.")
    mask_threshold: float = Field(
        0.0, ge=0, le=1, description="Pixels whose class is less probable are in no mask."
    )
    subtask: Literal["semantic", "instance", "panoptic"] = Field(
        "semantic", description="Only 'semantic'."
    )
    overlap_mask_area_threshold: float | None = Field(
        None, description="Refused: masks of this kind never overlap."
    )

    def check(self) -> None:
        """Raise InvalidParameter if something is asked that such a model cannot tell."""
        if self.subtask != "semantic":
            raise InvalidParameter(
                f"subtask={self.subtask!r} tells things of one class apart, which the model does "
                "not: only 'semantic' can be had."
            )
        if self.overlap_mask_area_threshold is not None:
            raise InvalidParameter(
                "overlap_mask_area_threshold means nothing here: every pixel is in one mask at "
                "most, so that masks never overlap."
            )


def read_parameters(kind: type[Asked], told: dict[str, Any]) -> Asked:
    """Return the parameters; raises InvalidParameter with all that is wrong, as a sentence."""
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        wrong = [_told(found, kind) for found in error.errors(include_url=False)[:5]]
        raise InvalidParameter(f"The parameters cannot be followed: {'; '.join(wrong)}.") from None


def _told(found: Any, kind: type[BaseModel]) -> str:
    name = str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        return f"there is no {name[:200]!r} ({', '.join(kind.model_fields)} are read)"
    return f"{name}: {found['msg']}"
