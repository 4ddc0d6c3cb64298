"""The model card: what a person should know before trusting a model version."""

from collections.abc import Sequence
from typing import Literal

from service.contract.manifest import Manifest, Metric
from service.contract.specs import FREE_SIZE, AudioPreprocessing
from training.crossvalidation import CrossValidation, table_of
from training.evaluate import Evaluation, Table

_SPREAD = " The spread is the sample standard deviation over trainings with different seeds."


def write_card(
    manifest: Manifest,
    caveats: tuple[str, ...],
    evaluations: Sequence[Evaluation],
    folds: Sequence[CrossValidation] = (),
    keep: Literal["best", "last"] = "best",
) -> str:
    """Return the card as Markdown; every figure in it comes from the arguments.

    evaluations: on the test split, and on others to stand beside.
    folds: of the model's own recipe, and of others to stand beside.
    keep: which checkpoint it is, as in `TrainingRecipe`.
    """
    test, *others = evaluations
    parts = [
        f"# {manifest.name}, version {manifest.version}",
        manifest.description,
        _table(Table(("", ""), _facts(manifest))),
        "## Accuracy",
        _measured(test, others, keep),
        _table(_metrics(manifest, test.noun)),
        f"{test.about}{_SPREAD if any(metric.runs > 1 for metric in manifest.metrics) else ''}",
        *_notes(evaluations),
        _table(test.class_table(others)),
        test.confusions(),
        *_cross_validation(folds),
        "## Known failings",
        "\n".join(f"- {caveat}" for caveat in (*caveats, test.always)),
        "## Agreement with PyTorch",
        _parity(manifest),
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in manifest.provenance.versions.items())
        + f", on {manifest.provenance.created}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _facts(manifest: Manifest) -> list[tuple[str, ...]]:
    provenance = manifest.provenance
    return [
        ("task", manifest.task),
        _answers(manifest),
        ("input", _input(manifest)),
        ("size", f"{len(manifest.graph.taps)} tensors to look at, opset {manifest.graph.opset}"),
        ("recipe", f"{provenance.recipe}, seed {provenance.seed}"),
        ("data", provenance.dataset),
        ("training", _minutes(provenance.training_minutes)),
        ("licence", manifest.license),
    ]


def _answers(manifest: Manifest) -> tuple[str, str]:
    if manifest.units:
        measured = zip(manifest.labels, manifest.units, strict=True)
        return "measures", ", ".join(f"{name} in {unit}" for name, unit in measured)
    return "classes", ", ".join(manifest.labels)


def _minutes(minutes: float | None) -> str:
    return "not recorded" if minutes is None else f"{minutes:.1f} minutes"


def _input(manifest: Manifest) -> str:
    spec = manifest.preprocessing
    if isinstance(spec, AudioPreprocessing):
        window, hop = (
            samples / spec.sample_rate_hz for samples in (spec.window_samples, spec.hop_samples)
        )
        return f"mono, {spec.sample_rate_hz:,} Hz, windows of {window:g} s, one every {hop:g} s"
    size = f"{spec.color} {spec.width}x{spec.height} px"
    if spec.resize not in FREE_SIZE:
        return f"{size}, resized by `{spec.resize}`"
    return (
        f"{spec.color}, any size in multiples of {spec.multiple} px; trained on "
        f"{spec.width}x{spec.height} px, resized by `{spec.resize}`"
    )


def _measured(test: Evaluation, others: Sequence[Evaluation], keep: Literal["best", "last"]) -> str:
    return (
        "Measured through ONNX Runtime and the service's own preprocessing, single forward "
        f"passes, on the {test.split} split of {test.dataset}, {test.chosen_by}."
        + "".join(
            f" The {other.split} split of {other.images} {other.noun} "
            + ("did, and so flatters the model." if keep == "best" else "did not: it is the last.")
            for other in others
        )
    )


def _metrics(manifest: Manifest, noun: str) -> Table:
    counted = "images" if noun == "pictures" else noun
    head = ("figure", "value", "95 % interval", counted, "runs", "mean ± spread")
    return Table(head, [_metric_row(metric) for metric in manifest.metrics])


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


def _notes(evaluations: Sequence[Evaluation]) -> list[str]:
    return [
        f"On the {evaluation.split} split:\n\n" + "\n".join(f"- {note}" for note in notes)
        for evaluation in evaluations
        if (notes := evaluation.notes())
    ]


def _cross_validation(folds: Sequence[CrossValidation]) -> list[str]:
    if not folds:
        return []
    own, recalls = folds[0], folds[0].recalls()
    return [
        "## Cross-validation",
        f"Other models than this one, of which each was trained without one {own.column} of "
        f"{own.dataset} and tested on it, through ONNX Runtime as well; the first line is this "
        "model's recipe. The spread is the sample standard deviation over seeds of the mean over "
        f"{own.column}s; the {own.column}s themselves differ by more.",
        _table(table_of(list(folds))),
        f"Recall of the first line by class, over {own.column}s and seeds: "
        + ", ".join(f"{label} {recall:.0%}" for label, recall in recalls)
        + ".",
    ]


def _parity(manifest: Manifest) -> str:
    parity = manifest.parity
    if parity is None:
        return ""
    audio = manifest.preprocessing.kind == "audio"
    inputs, places = ("windows", "frames") if audio else ("pictures", "pixels")
    proof = (
        f"On {parity.images} {inputs}, in batches of "
        f"{' and '.join(str(size) for size in parity.batch_sizes)}, ONNX Runtime "
    )
    if parity.max_value_difference is not None:
        return (
            f"{proof}gave the same values as PyTorch; they differed by at most "
            f"{parity.max_value_difference:.1e} of the value."
        )
    said = (
        f"class as PyTorch {parity.same_argmax} times"
        if parity.decisions is None
        else f"class as PyTorch at {parity.same_argmax:,} of {parity.decisions:,} {places}, and "
        "another only where the two best differ by less than 1e-4"
    )
    return (
        f"{proof}chose the same {said}; probabilities differed by at most "
        f"{parity.max_probability_difference:.1e}."
    )
