"""The OpenAPI document against the server: whatever it allows, and what it does not, is sent."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.real_server import start, stop
from tests.tiny_models import (
    write_listener,
    write_measurer,
    write_model,
    write_segmenter,
    write_spans,
)

HERE = Path(__file__).parent
KEY = "a-key-for-the-admin-of-this-test"


@pytest.mark.parametrize(
    ("config", "paths", "least"),
    [
        ("schemathesis.toml", ".", 1000),
        (
            "schemathesis_sounds.toml",
            "/(v1/models|hf)/{name}/?(classify|segment|measure|feature-maps|explain|layers|)$",
            200,
        ),
    ],
)
def test_every_answer_is_one_that_the_document_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, paths: str, least: int
) -> None:
    """No server error, no undocumented status, media type or shape, in hundreds of cases.

    What takes pictures or sounds by the model's name is asked both ways.
    """
    for write in (write_model, write_segmenter, write_listener, write_spans, write_measurer):
        write(tmp_path / "models")
    monkeypatch.setenv("CONVSCOPE_ADMIN_KEYS", KEY)
    server = start(tmp_path / "models")
    command = [
        *(str(Path(sys.executable).parent / "st"), "--config-file", str(HERE / config), "run"),
        *(f"{server.url}/openapi.json", "--checks", "all", "--max-examples", "150"),
        *("--header", f"x-api-key: {KEY}", "--output-truncate", "false"),
        *("--phases", "examples,coverage,fuzzing", "--seed", "1"),
        # several at once can meet in CPython 3.11's ast.parse, which then raises SystemError
        *("--workers", "1"),
        *("--include-path-regex", paths.replace("{", r"\{").replace("}", r"\}")),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert stop(server) == 0
    assert done.returncode == 0, done.stdout
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases
    assert int(cases[1]) > least
