"""Starts a segmenter from the encoder of an earlier run."""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from service.contract.errors import SetupError
from training.run_folder import RunFolder


def start_encoder(net: nn.Module, source: Path) -> None:
    """Give the net's encoder the weights of a classifier, or of another segmenter's encoder.

    source: a run folder, whose best checkpoint is taken, or a checkpoint.
    Raises: SetupError if there is none, or its net has other parts or shapes.
    """
    file = RunFolder(source).best if source.is_dir() else source
    found = _weights(file)
    encoder = net.get_submodule("encoder")
    wanted = encoder.state_dict()
    for name, weight in wanted.items():
        shape = tuple(found[name].shape) if name in found else None
        if shape != tuple(weight.shape):
            raise SetupError(
                f"{file}: {name} is {shape or 'missing'}, and the encoder's {tuple(weight.shape)}; "
                "the encoder's options must be those that the checkpoint was trained with"
            )
    encoder.load_state_dict({name: found[name] for name in wanted})


def _weights(file: Path) -> dict[str, Tensor]:
    """Return the weights of the classifier or encoder in a checkpoint, by name inside of it."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise SetupError(f"{file}: is no checkpoint that can be read: {error}") from error
    inside = "net.encoder." if any(name.startswith("net.encoder.") for name in state) else "net."
    return {
        name.removeprefix(inside): weight
        for name, weight in state.items()
        if name.startswith(inside)
    }
