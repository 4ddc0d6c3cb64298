"""Joins what the repository loaded with the tasks that use it."""

import numpy as np
from numpy.typing import NDArray

from service.contract.preprocess import Pixels
from service.loader import LoadedModel
from service.repository import load_repository
from service.runtime import open_session
from service.settings import Settings
from service.tasks.catalog import Catalog, ServedModel
from service.tasks.classify import Classifier, RunBatch
from service.tasks.features import FeatureMaps, Run


def open_catalog(settings: Settings) -> Catalog:
    """Load the repository of the settings.

    Raises: SetupError if there is nothing to serve, the device does not work,
        or the default model is not there.
    """
    repository = load_repository(settings.models_dir, settings.device, settings.threads)
    models = [_serve(model, settings) for model in repository.models]
    return Catalog(models, repository.refusals, settings.default_model)


def _serve(model: LoadedModel, settings: Settings) -> ServedModel:
    manifest = model.manifest
    graph = manifest.graph
    graph_file = model.folder / graph.file.path

    def open_prefix(prefix: bytes) -> Run:
        shown_as = f"{manifest.name}/{manifest.version}/{graph.file.path}"
        return open_session(prefix, settings.device, settings.threads, shown_as).run

    return ServedModel(
        manifest=manifest,
        execution_provider=model.session.execution_provider,
        golden_difference=model.golden_difference,
        classifier=Classifier(manifest.preprocessing, manifest.labels, _probabilities_of(model)),
        features=FeatureMaps(graph_file, graph, open_prefix, settings.max_prefix_models),
    )


def _probabilities_of(model: LoadedModel) -> RunBatch:
    """Return the plain callable from a batch to its probabilities."""
    graph = model.manifest.graph
    images = graph.inputs[0].name
    probabilities = next(tensor.name for tensor in graph.outputs if tensor.role == "probabilities")

    def run(batch: Pixels) -> NDArray[np.floating]:
        return model.session.run({images: batch})[probabilities]

    return run
