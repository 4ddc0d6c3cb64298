"""The model card: what a person should know before trusting a model version."""

from service.contract.manifest import Manifest, Metric
from training.evaluate import Evaluation


def write_card(manifest: Manifest, caveats: tuple[str, ...], evaluation: Evaluation) -> str:
    """Return the card as Markdown; every figure in it comes from the arguments."""
    provenance = manifest.provenance
    parts = [
        f"# {manifest.name}, version {manifest.version}",
        manifest.description,
        _table(
            ("", ""),
            [
                ("task", manifest.task),
                ("classes", ", ".join(manifest.labels)),
                ("input", _input(manifest)),
                ("size", _size(manifest)),
                ("recipe", f"{provenance.recipe}, seed {provenance.seed}"),
                ("data", provenance.dataset),
                ("training", _minutes(provenance.training_minutes)),
                ("licence", manifest.license),
            ],
        ),
        "## Accuracy",
        "Measured through ONNX Runtime and the service's own preprocessing, single forward "
        f"passes, on the {evaluation.split} split of {evaluation.dataset}, which did not choose "
        "the checkpoint.",
        _table(
            ("figure", "value", "95 % interval", "images", "runs", "mean ± spread"),
            [_metric_row(metric) for metric in manifest.metrics],
        ),
        "The interval (Wilson) is for the accuracy over endless pictures of this kind; the "
        "spread is the sample standard deviation over trainings with different seeds.",
        _table(
            ("class", "images", "recall", "precision"),
            [
                (
                    figures.label,
                    str(figures.images),
                    _share(figures.recall),
                    _share(figures.precision),
                )
                for figures in evaluation.classes
            ],
        ),
        _confusions(evaluation),
        "## Known failings",
        "\n".join(f"- {caveat}" for caveat in (*caveats, _ALWAYS)),
        "## Agreement with PyTorch",
        _parity(manifest),
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in provenance.versions.items())
        + f", on {provenance.created}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_ALWAYS = "It always answers with one of its classes, whatever the picture shows."


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(value: float | None) -> str:
    return "never predicted" if value is None else f"{value:.2%}"


def _minutes(minutes: float | None) -> str:
    return "not recorded" if minutes is None else f"{minutes:.1f} minutes"


def _input(manifest: Manifest) -> str:
    spec = manifest.preprocessing
    return f"{spec.color} {spec.width}x{spec.height} px, resized by `{spec.resize}`"


def _size(manifest: Manifest) -> str:
    return f"{len(manifest.graph.taps)} tensors to look at, opset {manifest.graph.opset}"


def _metric_row(metric: Metric) -> tuple[str, ...]:
    low, high = metric.interval
    mean = "" if metric.mean is None else f"{metric.mean:.2%} ± {metric.spread:.2%}"
    return (
        f"{metric.name} ({metric.split})",
        f"{metric.value:.2%}",
        f"{low:.2%} to {high:.2%}",
        str(metric.images),
        str(metric.runs),
        mean,
    )


def _confusions(evaluation: Evaluation, most: int = 5) -> str:
    found = [
        (count, truth, said)
        for truth, row in enumerate(evaluation.confusion)
        for said, count in enumerate(row)
        if truth != said and count
    ]
    labels = [figures.label for figures in evaluation.classes]
    worst = sorted(found, reverse=True)[:most]
    listed = "; ".join(f"{labels[t]} taken for {labels[s]} ({n})" for n, t, s in worst)
    return f"Most frequent confusions: {listed}." if listed else ""


def _parity(manifest: Manifest) -> str:
    parity = manifest.parity
    if parity is None:
        return ""
    return (
        f"On {parity.images} pictures, in batches of "
        f"{' and '.join(str(size) for size in parity.batch_sizes)}, ONNX Runtime chose the same "
        f"class as PyTorch {parity.same_argmax} times; probabilities differed by at most "
        f"{parity.max_probability_difference:.1e}."
    )
