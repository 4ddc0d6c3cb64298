"""What the OpenAPI document says in words, and what no route says of itself."""

from typing import Any

SUMMARY = "Convolutional networks behind HTTP, and what goes on inside of them."
DESCRIPTION = """\
Post a picture or a sound, get classes, masks or numbers; ask for a layer, get the feature maps \
that the deployed file computes.

The body of a question is the file itself, whatever its content type, or multipart with parts \
called `file`. `Accept` chooses between JSON, PNG and NumPy arrays where there is a choice. Every \
answer carries `x-request-id`, which names the request in logs and problems. Errors are problem \
details (RFC 9457); below `/v2` and `/hf` they have the shape that the clients of those protocols \
read.

In the examples, lists of more than six entries end after the third."""
LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
CONTACT = {"name": "The convscope project"}
# Relative to where the document was found, so that it holds below any path of a proxy.
SERVERS = [{"url": ".", "description": "The server that this document comes from."}]

TAGS = [
    {
        "name": "Answers",
        "description": "What a model says of a picture or a sound. Several multipart files are "
        "answered with as many results, each an answer or a problem.",
    },
    {
        "name": "Look inside",
        "description": "Layers, feature maps, filters and embeddings of the deployed file.",
    },
    {"name": "Reasons", "description": "Why a model says what it says, and how steadily."},
    {
        "name": "Models",
        "description": "What is served; with an admin key also what is to be served.",
    },
    {
        "name": "Open Inference Protocol",
        "description": "The same models for the clients of Triton and KServe, unmodified.",
    },
    {
        "name": "Hugging Face",
        "description": "The same models for `huggingface_hub.InferenceClient`.",
    },
    {"name": "Server", "description": "For orchestrators, Prometheus and people in a hurry."},
]

# Of what is in paths, which no route describes.
PARAMETERS = {
    "name": "A model's name; `GET /v1/models` lists them.",
    "version": "The number of a version.",
}

BODY = (
    "The picture or sound itself, under any content type, or multipart with `file`. "
    "What it is, is seen from its bytes. JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF; "
    "WAV, AIFF, FLAC, Ogg, MP3."
)

# Of answers that are no JSON, by media type.
BINARY: dict[str, dict[str, Any]] = {
    "image/png": {
        "type": "string",
        "format": "binary",
        "contentMediaType": "image/png",
        "description": "A PNG.",
    },
    "application/x-npy": {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/x-npy",
        "description": "One array as an .npy file, format 1.0, without pickles: "
        "`numpy.load(io.BytesIO(answer))`.",
    },
    "application/octet-stream": {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
        "description": "JSON, and behind it the bytes of the tensors; "
        "`Inference-Header-Content-Length` is how long the JSON is.",
    },
    "text/html": {
        "type": "string",
        "contentMediaType": "text/html",
        "description": "The page, for browsers.",
    },
}

SECURITY: dict[str, dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, where the server wants one.",
    },
    "x-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same key in a header of its own.",
    },
    "admin-bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An admin key; it opens everything else as well.",
    },
    "admin-x-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "An admin key in a header of its own.",
    },
}
# One of these has to be sent.
KEYS: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}]
ADMIN_KEYS: list[dict[str, list[str]]] = [{"admin-bearer": []}, {"admin-x-api-key": []}]
NO_KEY: list[dict[str, list[str]]] = [{}]

RETRY_AFTER = {
    "description": "Whole seconds after which another try makes sense.",
    "schema": {"type": "integer", "minimum": 1},
}
