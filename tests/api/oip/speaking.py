"""What tests of the Open Inference Protocol share."""

from pathlib import Path

import httpx
import pytest
from tritonclient.utils import InferenceServerException

from tests.tiny_models import write_listener, write_measurer, write_model, write_segmenter

KEY = {"x-api-key": "ordinary-key-of-this-test"}
ADMIN = {"x-api-key": "admin-key-of-this-test"}


def write_models(root: Path) -> None:
    """Write two versions of colors, one each of paint, loudness and meter, and one of spare."""
    write_model(root, version=1, sharpness=1)
    write_model(root, version=2, sharpness=10)
    write_model(root, "spare")
    write_segmenter(root)
    write_listener(root)
    write_measurer(root)


def error_of(answer: httpx.Response) -> str:
    """Return the sentence of an error, which must be all that there is."""
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert set(told) == {"error"}
    return str(told["error"])


def refused(caught: pytest.ExceptionInfo[InferenceServerException]) -> tuple[str, str]:
    """Return the status and the sentence that the client was told."""
    return caught.value.status(), caught.value.message()
