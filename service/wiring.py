"""Joins what the repository loaded with the tasks that use it and the runners that do the work."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batching import Batcher, BatchRules
from service.codecs.image import ImageLimits
from service.codecs.sound import SoundLimits
from service.contract.errors import InvalidModel
from service.contract.manifest import Task, audio_spec, image_spec
from service.contract.preprocess import Pixels
from service.cpus import available_cpus
from service.device import Gpu, Placement, Threads
from service.graph.external import ModelProto, parse_graph
from service.live import LiveCatalog
from service.loader import LoadedModel, load_version, reread_graph
from service.memory import give_back
from service.places import Place
from service.policy import read_policy
from service.runners import Runners
from service.runtime import CPU, check_custom_ops, choose_provider, open_session
from service.settings import Settings
from service.tasks.catalog import Answering, Classifying, Listening, Segmenting, ServedModel
from service.tasks.classify import Classifier
from service.tasks.features import FeatureMaps, Run
from service.tasks.kept import Once
from service.tasks.listen import Listener
from service.tasks.reasons.explain import Reasons
from service.tasks.reasons.whole import RunWhole
from service.tasks.segment import Output, Segmenter
from service.tasks.sound_tensors import SoundTensors
from service.tasks.tensors import PictureTensors, Tensors

Arrays = Mapping[str, NDArray[Any]]
Chores = Batcher[Callable[[], Any], Any]
# (N, ...) inputs, and whether nothing else is being worked on -> an array an output
_RunRoles = Callable[[NDArray[Any], bool], list[NDArray[Any]]]
# Runs on a GPU are queued there anyway; one at a time keeps its memory bounded.
_RUNS_ON_GPU = 1


def placement_of(settings: Settings) -> Placement:
    """Return where models run. CPU threads are shared by the runners, unless one is alone."""
    threads = settings.threads or available_cpus()
    return Placement(
        device=settings.device,
        threads=Threads(shared=max(1, threads // runners_of(settings)), alone=threads),
        gpu=Gpu(
            settings.gpu,
            settings.gpu_memory_bytes,
            settings.tensorrt_cache,
            tuple(2**n for n in range(settings.max_batch_size.bit_length())),
        ),
        custom_ops=settings.custom_ops,
    )


def runners_of(settings: Settings) -> int:
    """Return how many pieces of work are done at once."""
    return settings.runners or settings.threads or available_cpus()


def open_live(settings: Settings, runners: Runners, only: str | None = None) -> LiveCatalog:
    """Return the catalog of the repository, with what is wanted loaded.

    only: the one model that is asked for; all others are known, but not loaded.
    Raises: SetupError if there is nothing to serve, the device or the custom operators do
        not work, or a pin or the default model is not there.
    """
    policy = read_policy(settings.policy, settings.pins)
    choose_provider(settings.device)
    if settings.custom_ops:
        check_custom_ops(settings.custom_ops)
    placement, root = placement_of(settings), settings.models_dir

    def load(place: Place) -> ServedModel:
        if only not in (None, place.name):
            raise InvalidModel(f"{place.name}/{place.version}", "is not asked for")
        model = load_version(place.folder, root, placement)
        return serve_model(model, settings, runners)

    live = LiveCatalog(root, load, policy, settings.default_model)
    live.start(at_once=settings.threads or available_cpus())
    return live


def runs_on_cpu(model: ServedModel) -> bool:
    """Tell whether it may run several times at once without taking more than processors."""
    return model.execution_provider == CPU


def serve_model(model: LoadedModel, settings: Settings, runners: Runners) -> ServedModel:
    """Give a loaded model its tasks and its queue."""
    manifest = model.manifest
    graph = manifest.graph
    placement = placement_of(settings)
    shared = placement.threads.shared
    in_company = replace(placement, threads=Threads(shared, shared))
    shown_as = f"{manifest.name}/{manifest.version}/{graph.file.path}"

    def open_prefix(prefix: bytes) -> Run:
        # it may lie idle for long: what its largest input took would be lost to all others
        return open_session(prefix, shown_as, in_company, arena=False).run

    def read() -> ModelProto:
        return parse_graph(*reread_graph(model), shown_as)

    graph_once = Once(read)
    features = FeatureMaps(
        graph_once,
        graph,
        open_prefix,
        settings.max_prefix_models,
        manifest.preprocessing.reference_size,
        settings.max_prefix_bytes,
    )
    return ServedModel(
        manifest=manifest,
        execution_provider=model.session.execution_provider,
        golden_difference=model.golden_difference,
        memory_bytes=model.graph_bytes * (2 if model.session.has_two else 1),
        answering=_ANSWERING[manifest.task](model, settings, runners),
        features=features,
        reasons=Reasons(
            graph_once,
            manifest,
            features,
            open_prefix,
            _probabilities_of(model),
            settings.max_prefix_bytes,
        ),
        release=partial(_release, model),
    )


def _classifying(model: LoadedModel, settings: Settings, runners: Runners) -> Classifying:
    manifest = model.manifest
    run = _runner_of(model, ("probabilities",))

    def probabilities_of(batch: Pixels, alone: bool) -> NDArray[np.floating]:
        (probabilities,) = run(batch, alone)
        return probabilities

    limits = ImageLimits(settings.max_pixels)
    task = Classifier(image_spec(manifest), manifest.labels, probabilities_of, limits)
    rules = _rules(model, settings, settings.max_batch_size)
    tensors = PictureTensors(manifest, _whole_graph(model), rules.max_batch_size, task.model_input)
    return Classifying(task, _queue(task, tensors, runners, rules), tensors)


def _segmenting(model: LoadedModel, settings: Settings, runners: Runners) -> Segmenting:
    manifest = model.manifest
    run = _runner_of(model, ("mask", "probabilities"))
    task = Segmenter(
        image_spec(manifest),
        manifest.labels,
        manifest.colors,
        lambda batch, alone: Output(*run(batch, alone)),
        ImageLimits(settings.max_pixels),
    )
    on_cpu = model.session.execution_provider == CPU
    # In large maps a convolution keeps a processor busy by itself: batches cost memory only.
    rules = _rules(model, settings, 1 if on_cpu else settings.max_batch_size)
    tensors = PictureTensors(manifest, _whole_graph(model), rules.max_batch_size, task.model_input)
    return Segmenting(task, _queue(task, tensors, runners, rules), tensors)


def _listening(model: LoadedModel, settings: Settings, runners: Runners) -> Listening:
    manifest = model.manifest
    run = _runner_of(model, (_ROLES_OF_SOUNDS[manifest.task],))
    task = Listener(
        audio_spec(manifest),
        lambda windows, alone: run(windows, alone)[0],
        SoundLimits(max_seconds=settings.max_audio_seconds),
        spare_silence=manifest.task != "audio-segmentation",
    )
    rules = _rules(model, settings, settings.max_batch_size)
    tensors = SoundTensors(manifest, _whole_graph(model), rules.max_batch_size, task)
    return Listening(task, _queue(task, tensors, runners, rules), tensors)


_ANSWERING: dict[Task, Callable[[LoadedModel, Settings, Runners], Answering]] = {
    "image-classification": _classifying,
    "image-segmentation": _segmenting,
    "audio-classification": _listening,
    "audio-segmentation": _listening,
    "audio-regression": _listening,
}
_ROLES_OF_SOUNDS: dict[Task, str] = {
    "audio-classification": "logits",
    "audio-segmentation": "mask",
    "audio-regression": "values",
}


def _queue(
    task: Classifier | Segmenter | Listener, tensors: Tensors, runners: Runners, rules: BatchRules
) -> Batcher[Any, Any]:
    """Return the one queue for what the task is asked and for tensors."""
    prepare, run = tensors.beside(task.prepare, task.run)
    return Batcher(prepare, run, runners, rules)


def open_chores(settings: Settings, runners: Runners) -> Chores:
    """Return the queue for work that is done one by one, such as feature maps."""
    return _one_by_one(settings.max_queue, runners)


def open_finishing(runners: Runners) -> Chores:
    """Return the queue for what is left to do when a model has answered, which nobody refuses."""
    return _one_by_one(sys.maxsize, runners)


def _one_by_one(max_queue: int, runners: Runners) -> Chores:
    rules = BatchRules(max_batch_size=1, max_queue=max_queue)
    return Batcher(lambda work: (None, work), lambda works, _: [works[0]()], runners, rules)


def _release(model: LoadedModel) -> None:
    model.session.close()
    give_back()


def _rules(model: LoadedModel, settings: Settings, max_batch_size: int) -> BatchRules:
    on_cpu = model.session.execution_provider == CPU
    return BatchRules(
        max_batch_size=max_batch_size,
        max_queue=settings.max_queue,
        max_queue_delay_ms=settings.max_queue_delay_ms,
        max_runs=runners_of(settings) if on_cpu else _RUNS_ON_GPU,
    )


def _runner_of(model: LoadedModel, roles: Sequence[str]) -> _RunRoles:
    """Return the plain callable from a batch to the outputs of those roles."""
    outputs = model.manifest.graph.outputs
    names = [tensor.name for role in roles for tensor in outputs if tensor.role == role]
    return _run_of(model, names)


def _whole_graph(model: LoadedModel) -> _RunRoles:
    """Return the plain callable from a batch to all outputs, in the order of the manifest."""
    return _run_of(model, [tensor.name for tensor in model.manifest.graph.outputs])


def _run_of(model: LoadedModel, names: Sequence[str]) -> _RunRoles:
    inputs = model.manifest.graph.inputs[0].name
    fixed = model.session.inputs[0].shape[0]

    def run(batch: NDArray[Any], alone: bool) -> list[NDArray[Any]]:
        answers = model.session.run({inputs: batch}, alone)
        return [answers[name] for name in names]

    return run if fixed is None else _padded(run, fixed)


def _probabilities_of(model: LoadedModel) -> RunWhole:
    """Return the plain callable from a batch to probabilities, in company."""
    run = _runner_of(model, ("probabilities",))
    return lambda batch: run(batch, False)[0]


def _padded(run: _RunRoles, size: int) -> _RunRoles:
    """Return a runner of any number of items for a graph whose batch is always of one size."""

    def run_padded(batch: NDArray[Any], alone: bool) -> list[NDArray[Any]]:
        parts = []
        for first in range(0, len(batch), size):
            part = batch[first : first + size]
            missing = size - len(part)
            filler = np.zeros((missing, *part.shape[1:]), part.dtype)
            answers = run(np.concatenate([part, filler]), alone)
            parts.append([answer[: len(part)] for answer in answers])
        return [np.concatenate(answers) for answers in zip(*parts, strict=True)]

    return run_padded
