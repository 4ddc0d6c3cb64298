"""The card of a model that others made: what is known, and what is not."""

from collections.abc import Sequence

from service.adopt.findings import Finding
from service.contract.manifest import Manifest

_MOST_LABELS = 20


def write_card(manifest: Manifest, findings: Sequence[Finding]) -> str:
    """Return the card as Markdown."""
    original = manifest.provenance.original
    file = f"`{original.name}` (sha256 `{original.sha256}`)" if original else "unknown"
    golden = manifest.golden
    parts = [
        f"# {manifest.name}, version {manifest.version}",
        manifest.description,
        _table(
            ("", ""),
            [
                ("task", manifest.task),
                ("classes", _labels(manifest.labels)),
                ("made from", file),
                ("licence", manifest.license),
            ],
        ),
        "## What was found out about the file",
        _table(("what", "value", "how sure", "why"), findings),
        "`certain`: the file says so. `likely`: concluded from it. `told`: whoever added it said "
        "so. `unknown`: nobody knows, and an ordinary choice was made.",
        "## Accuracy",
        "Not known: nothing was measured when the file was added. Its data, its training and its "
        "failings are those of whoever made it.",
        "## Agreement with the original",
        "The golden outputs are those of the original file, run by ONNX Runtime on the CPU item by "
        "item, with the preprocessing worked out in NumPy. This version reproduces them within "
        f"{golden.atol:.2g} + {golden.rtol:g} of each value, or it is not served.",
        "## Made with",
        ", ".join(f"{name} {number}" for name, number in manifest.provenance.versions.items())
        + f", on {manifest.provenance.created}.",
    ]
    return "\n\n".join(parts) + "\n"


def _labels(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:_MOST_LABELS])
    return (
        f"{shown}, and {len(labels) - _MOST_LABELS} more" if len(labels) > _MOST_LABELS else shown
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
