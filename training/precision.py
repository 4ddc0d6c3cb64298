"""Decides between float32 and bfloat16 by trying both on the net at hand."""

import copy
import time

import torch
from torch import nn

PROBE_STEPS = 3


def choose_precision(net: nn.Module, sample: torch.Tensor, wanted: str) -> str:
    """Return `bf16` or `fp32`.

    sample: a normalised batch (N, C, H, W) of the size that will be trained on, on the device
        that will be used.
    wanted: `auto` compares the time of a few training steps and takes bfloat16 only where
        it saves at least a tenth: some processors emulate it, many times slower.
    """
    if wanted != "auto":
        return wanted
    seconds = {precision: _time_steps(net, sample, precision) for precision in ("fp32", "bf16")}
    return "bf16" if seconds["bf16"] < 0.9 * seconds["fp32"] else "fp32"


def _time_steps(net: nn.Module, sample: torch.Tensor, precision: str) -> float:
    trial = copy.deepcopy(net).to(sample.device).train()
    fastest = float("inf")
    for _ in range(PROBE_STEPS):
        begun = time.perf_counter()
        with torch.autocast(sample.device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = trial(sample).float().square().mean()
        loss.backward()
        loss.item()  # waits for a GPU to be done
        fastest = min(fastest, time.perf_counter() - begun)
    return fastest
