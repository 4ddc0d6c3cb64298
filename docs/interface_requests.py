"""The requests whose answers are the examples of the interface.

A new route needs a line in ASKED, and more where one request cannot use all of its parameters.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
JSON, PNG = "application/json", "image/png"
KEY, ADMIN_KEY = "a-key-of-the-documentation", "an-admin-key-of-the-documentation"


@dataclass(frozen=True)
class Asked:
    """A request. title: what the example shows. send: samples, or JSON as an object.

    Its query gives the parameters their examples; of answers that are no JSON nothing else is
    kept, unless they are text.
    """

    title: str
    method: str
    target: str
    send: str | tuple[str, ...] | dict[str, Any] | bytes | None = None
    accept: str = JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def get(title: str, target: str, **how: Any) -> Asked:
    """Return a question without a body."""
    return Asked(title, "GET", target, **how)


def post(title: str, target: str, send: Any = None, **how: Any) -> Asked:
    """Return a question with a body, or an order."""
    return Asked(title, "POST", target, send, **how)


_XO, _STREET, _WORDS = "/v1/models/xo", "/v1/models/street", "/v1/models/spoken_digits"
_CIFAR = "/v1/models/cifar10"
_ADMIN: dict[str, Any] = {"headers": {"x-api-key": ADMIN_KEY}}
_V2 = "/v2"
_INFER = {
    "inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 9, 9, 1], "data": [0] * 81}]
}
_INFER_FILE = {
    "inputs": [
        {
            "name": "images",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"content_type": "base64"},
            "data": [b64encode((SAMPLES / "x.png").read_bytes()).decode()],
        }
    ],
    "outputs": [{"name": "probabilities", "parameters": {"classification": 2}}],
}
ASKED = (
    post("A picture", f"{_CIFAR}/classify?top_k=3&version=1", "cat.jpg"),
    post("A sound", f"{_WORDS}/classify?top_k=2", "seven.flac"),
    post(
        "Two files, one of them no picture", f"{_CIFAR}/classify?top_k=1", ("cat.jpg", "README.md")
    ),
    post("A sound", "/v1/classify?top_k=2", "seven.flac"),
    post("Run lengths", f"{_STREET}/segment?format=rle&min_area=9000&version=1", "temple.jpg"),
    post("Outlines", f"{_STREET}/segment?format=polygons&tolerance=2.5", "temple.jpg"),
    post("Tiles at full size", f"{_STREET}/segment?resolution=original&tile=256", "x.png"),
    post(
        "A probability", f"{_STREET}/segment?render=probability&class_index=1", "x.png", accept=PNG
    ),
    post("A sound", "/v1/models/silence/segment?min_seconds=0.2", "digits.flac"),
    post("A picture", "/v1/segment?format=rle&min_area=9000", "temple.jpg"),
    post("A sound", "/v1/segment?min_seconds=0.2", "digits.flac"),
    post("Outlines", "/v1/segment?format=polygons&tolerance=2.5", "temple.jpg"),
    post("Tiles", "/v1/segment?resolution=original&tile=256&version=1", "x.png"),
    post("A mask", "/v1/segment?render=probability&class_index=1", "x.png", accept=PNG),
    post("A tempo", "/v1/models/tempo/measure?version=1", "beat.flac"),
    post(
        "Three channels and one cell",
        f"{_XO}/feature-maps?layer=conv&channels=0-2&top_k=2&cell=3,3&version=1",
        "x.png",
    ),
    post(
        "A window of a sound",
        f"{_WORDS}/feature-maps?layer=resnet.stem&start_s=0.1&channels=0,1",
        "seven.flac",
    ),
    post("All layers", f"{_XO}/feature-maps?layer=*", "x.png"),
    post(
        "A mosaic",
        f"{_XO}/feature-maps?layer=conv&render=mosaic&scale=channel&colormap=viridis&zoom=8",
        "x.png",
        accept=PNG,
    ),
    get("A small net", f"{_XO}/layers?version=1"),
    get("The first convolution", f"{_XO}/kernels?layer=conv/Conv&channels=0-1&version=1"),
    post("A vector", f"{_XO}/embed?layer=conv&pool=mean&version=1", "x.png"),
    post("Two files, one of them no picture", f"{_XO}/embed", ("x.png", "README.md")),
    get("Methods and layers", f"{_CIFAR}/explain?version=1"),
    post(
        "A class of a picture",
        f"{_CIFAR}/explain?method=ablation-cam&layer=group2&class_index=3&version=1",
        "cat.jpg",
    ),
    post("A pixel of a segmentation", f"{_STREET}/explain?x=4&y=4", "x.png"),
    post("A sound", f"{_WORDS}/explain?start_s=0.1", "seven.flac"),
    post("The map alone", f"{_CIFAR}/explain?render=map", "cat.jpg", accept=PNG),
    post(
        "Shifts of a picture", f"{_XO}/stability?transform=shift&class_index=1&version=1", "x.png"
    ),
    post("Gains of a sound", f"{_WORDS}/stability?transform=gain&start_s=0.1", "seven.flac"),
    post("Two models", "/v1/compare?model=cifar10&model=flowers", "cat.jpg"),
    post(
        "A sound", "/v1/compare?model=spoken_digits&model=spoken_digits@1&start_s=0.1", "seven.flac"
    ),
    post("A picture of zeros", f"{_V2}/models/xo/infer", _INFER),
    post("The two likeliest of a file", f"{_V2}/models/cifar10/infer", _INFER_FILE),
    post("A picture of zeros", f"{_V2}/models/xo/versions/1/infer", _INFER),
    get("All models", f"{_V2}/models/stats"),
    get("One model", f"{_V2}/models/xo/stats"),
    get("One version", f"{_V2}/models/xo/versions/1/stats"),
    get("The server", _V2),
    get("All names", f"{_V2}/models"),
    get("A classifier", f"{_V2}/models/xo"),
    get("A classifier", f"{_V2}/models/xo/versions/1"),
    get("It is ready", f"{_V2}/models/xo/ready"),
    get("It is ready", f"{_V2}/models/xo/versions/1/ready"),
    get("A classifier", f"{_V2}/models/xo/config"),
    get("A classifier", f"{_V2}/models/xo/versions/1/config"),
    get("It does", f"{_V2}/health/live"),
    get("It is ready", f"{_V2}/health/ready"),
    post("All versions", f"{_V2}/repository/index", {"ready": True}),
    post("It goes", f"{_V2}/repository/models/xo/unload", **_ADMIN),
    post("It comes", f"{_V2}/repository/models/xo/load", **_ADMIN),
    post("A classifier", "/hf/cifar10?version=1", "cat.jpg"),
    post("A segmenter", "/hf/street", "x.png"),
    get("It is ready", "/hf/cifar10/health?version=1"),
    get("A classifier", "/hf/cifar10/info?version=1"),
    get("All models", "/v1/models"),
    get("One model", _XO),
    post("A version goes", f"{_XO}/unload?version=1", **_ADMIN),
    post("A version comes", f"{_XO}/load?version=1", **_ADMIN),
    post("Nothing has changed", "/v1/models:rescan", **_ADMIN),
    get("It does", "/livez"),
    get("All of it", "/readyz"),
    get("For a program", "/"),
    get("Its first lines", "/metrics", accept="text/plain"),
)


def _cut() -> bytes:
    whole = (SAMPLES / "x.png").read_bytes()
    return whole[: len(whole) // 2]


SAY = f"{_XO}/classify"
# What goes wrong, in a folder where wolves breaks the contract; see interface.py.
TROUBLE = (
    post("No body", SAY, status=400),
    post(
        "Broken multipart",
        SAY,
        b"--x",
        headers={"content-type": "multipart/form-data; boundary=x"},
        status=400,
    ),
    get("No key", "/v1/models", headers={"x-api-key": ""}, status=401),
    post("An ordinary key", "/v1/models:rescan", headers={"x-api-key": KEY}, status=403),
    get("A model", "/v1/models/ox", status=404),
    post("A version", f"{SAY}?version=9", "x.png", status=404),
    post("A layer", f"{_XO}/feature-maps?layer=con", "x.png", status=404),
    post("Only pictures and arrays", f"{_XO}/explain", "x.png", accept="text/csv", status=406),
    post("A broken version", "/v1/models/wolves/load?version=1", status=409),
    post("Too many bytes", SAY, b"", headers={"content-length": "60000000"}, status=413),
    post("Too many files", SAY, ("x.png", "x.png", "x.png"), status=413),
    post("A text", SAY, "README.md", status=415),
    post("A parameter", f"{SAY}?top_k=0", "x.png", status=422),
    post("A broken picture", SAY, _cut(), status=422),
    post("Another task", f"{_XO}/segment", "x.png", status=422),
    post("A refused model", "/v1/models/wolves/classify", "x.png", status=503),
    post("No time", SAY, "x.png", headers={"x-request-timeout-ms": "0.001"}, status=504),
    get("Another method", SAY, status=405),
)
