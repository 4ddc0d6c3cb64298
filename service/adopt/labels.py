"""Names of classes, from the forms in which they are passed around."""

import json
from pathlib import Path
from typing import Any

from service.adopt.refusal import CannotAdd


def read_labels(file: Path) -> tuple[str, ...]:
    """Return the labels in the file, by class index.

    It is a text with one label a line; or JSON: a list, or an object from index to label (as
    ImageNet's `{"0": ["n01440764", "tench"]}`), or a Hugging Face config.json with `id2label`.
    Raises: CannotAdd if it cannot be read or has no labels.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CannotAdd(f"The labels {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CannotAdd(f"The labels {file} are no text in UTF-8.") from error
    if text.lstrip().startswith(("{", "[")):
        labels = _of_json(file, text)
    else:
        labels = [line.strip() for line in text.strip().splitlines()]
    if not labels or not all(labels):
        raise CannotAdd(f"The labels {file} must be one a line, with no line left empty.")
    return tuple(labels)


def _of_json(file: Path, text: str) -> list[str]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = found.get("id2label", found)
        if isinstance(found, dict):
            found = [found[str(index)] for index in range(len(found))]
        return [_label(entry) for entry in found]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise CannotAdd(
            f"The labels {file} are no JSON list, nor an object from each class index to its label."
        ) from error


def _label(entry: Any) -> str:
    text = entry if isinstance(entry, str) else entry[-1]
    if not isinstance(text, str):
        raise TypeError
    return text.strip()
