"""Requests for inference that are well made, but that the model cannot answer."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.asking import (
    behind,
    outputs_of,
    refusal,
    sent_as_bytes,
    sent_as_files,
    tensor,
    with_bytes,
)
from tests.pictures import flat
from tests.sounds import stored
from tests.tiny_models import write_listener, write_measurer, write_model, write_segmenter

SOUNDS = np.zeros((1, 4000), np.float32)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root)
    write_segmenter(root, "loose", resize="none")
    write_listener(root)
    write_measurer(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def good() -> dict[str, Any]:
    return sent_as_bytes("images", np.zeros((1, 8, 8, 3), np.uint8))


# name: (path, what is sent, status, what the sentence says)
OTHERS: dict[str, tuple[str, Callable[[], dict[str, Any]], int, str]] = {
    "unknown model": ("colours/infer", good, 404, "no model 'colours'. Did you mean 'colors'"),
    "unknown version": ("colors/versions/7/infer", good, 404, "no version '7'"),
    "version in words": ("colors/versions/latest/infer", good, 404, "no version 'latest'"),
    "negative version": ("colors/versions/-1/infer", good, 404, "no version '-1'"),
    "endless version": (f"colors/versions/{'9' * 99}/infer", good, 404, "no version"),
    "height that does not fit": (
        "paint/infer",
        lambda: sent_as_bytes("images", np.zeros((1, 10, 8, 3), np.uint8)),
        422,
        "multiples of 4, not 10 x 8",
    ),
    "picture that is too large": (
        "paint/infer",
        lambda: sent_as_bytes("images", np.zeros((1, 1024, 1028, 3), np.uint8)),
        413,
        "1024 x 1028 pixels are too many",
    ),
    "more outputs than fit": (
        "paint/infer",
        lambda: with_bytes({"inputs": [behind("images", "UINT8", [30, 1024, 1024, 3], 0)]}),
        413,
        "would take 408,944,640 bytes",
    ),
    "more outputs of files than fit": (
        "loose/infer",
        lambda: sent_as_files("images", *[flat("red", size=(1024, 1024))] * 20),
        413,
        r"the shape \[20, 1024, 1024, 3\] would take 272,629,760 bytes",
    ),
    "as many values as nobody reads": (
        "paint/infer",
        lambda: sent_as_bytes("images", np.zeros((1, 1024, 1024, 3), np.uint8)),
        413,
        "4,194,304 values are too many to be written as JSON",
    ),
    "pictures of several sizes": (
        "paint/infer",
        lambda: sent_as_files("images", flat("red"), flat("red", size=(90, 30))),
        422,
        "send them one at a time",
    ),
    "classes of a mask": (
        "paint/infer",
        lambda: sent_as_bytes(
            "images",
            np.zeros((1, 8, 8, 3), np.uint8),
            outputs=[{"name": "mask", "parameters": {"classification": 1}}],
        ),
        422,
        "classification is not for it",
    ),
    "classes of a measurement": (
        "meter/infer",
        lambda: sent_as_bytes(
            "sounds", SOUNDS, outputs=[{"name": "values", "parameters": {"classification": 1}}]
        ),
        422,
        "classification is for models with classes",
    ),
    "NaN in a sound": (
        "meter/infer",
        lambda: sent_as_bytes("sounds", np.full((1, 4000), np.nan, np.float32)),
        422,
        "'sounds' holds NaN or infinity",
    ),
    "number that float32 has not": (
        "meter/infer",
        lambda: {"json": {"inputs": [{**tensor("sounds", SOUNDS), "data": [1e39] + [0] * 3999}]}},
        400,
        "values that no FP32 can hold",
    ),
    "window of another length": (
        "meter/infer",
        lambda: sent_as_bytes("sounds", np.zeros((1, 4001), np.float32)),
        422,
        r"takes the shape \[-1, 4000\]",
    ),
    "silent file": (
        "loudness/infer",
        lambda: sent_as_files("sounds", stored(np.zeros(8000, np.float32))),
        422,
        "silent throughout",
    ),
    "picture for a model that listens": (
        "meter/infer",
        lambda: sent_as_files("sounds", flat("red")),
        415,
        "",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_no_model_can_answer_is_refused(client: Client, name: str) -> None:
    """Names, versions, sizes and files that do not fit."""
    path, how, status, sentence = OTHERS[name]
    answer = client.post(f"/v2/models/{path}", **how())
    refused = refusal(answer)
    assert answer.status_code == status, refused
    assert re.search(sentence, refused), refused


def test_one_bad_file_fails_the_request_but_no_other(client: Client) -> None:
    """An answer has a row for every file or is none; who shared its batch is unharmed."""
    requests = [
        sent_as_files("images", flat("red"), b"text"),
        sent_as_files("images", flat("red"), flat("blue")),
    ]
    bad, good = client.post_together("/v2/models/colors/infer", requests, 1, lambda: None)
    assert bad.status_code == 415
    assert outputs_of(good)["probabilities"].argmax(axis=1).tolist() == [0, 2]
