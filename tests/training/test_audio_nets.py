import math

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from service.contract.specs import AudioPreprocessing
from service.device import ON_CPU
from service.runtime import open_session
from training.deployed import DeployedSoundClassifier, DeployedSoundSegmenter
from training.nets.log_mel import FLOOR, LogMel
from training.nets.mel import mel_filters
from training.nets.registry import NETS_OF_TASK, InvalidNet, build_net, check_task
from training.nets.spectrogram import BandNorm
from training.onnx_file import to_onnx
from training.taps import find_taps

RATE_HZ, SAMPLES = 8000, 4000
SPECTROGRAM = {
    "sample_rate_hz": RATE_HZ,
    "log_mel": {"mels": 32, "frame_samples": 512, "hop_samples": 128},
    "resnet": {"widths": [8, 16], "depths": [1, 1]},
}
WAVEFORM = {"widths": [8, 16, 16], "depths": [1, 2, 1], "kernel": 32, "stride": 8}
LOG_MEL = {key: SPECTROGRAM[key] for key in ("sample_rate_hz", "log_mel")}
VGG = {**LOG_MEL, "vgg": {"widths": [8, 16], "depths": [1, 1]}, "band_norm": True}
NETS_TO_TRY = [("spectrogram", SPECTROGRAM), ("spectrogram", VGG), ("waveform", WAVEFORM)]


def reference(waveforms: np.ndarray, filters: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Return the log-mel spectrogram in float64, by another way than the layer takes."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    starts = range(0, waveforms.shape[1] - frame + 1, hop)
    frames = np.stack([waveforms[:, s : s + frame] for s in starts], axis=1).astype(np.float64)
    powers = np.abs(np.fft.rfft(frames * window / window.sum())) ** 2
    return np.log(np.einsum("mf,ntf->nmt", filters, powers) + FLOOR)[:, None]


@pytest.fixture
def noises() -> np.ndarray:
    """A loud noise, a faint one, a tone and silence, (4, SAMPLES) float32."""
    random = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 440 * np.arange(SAMPLES) / RATE_HZ)
    loud, faint = random.normal(0, (0.3,), SAMPLES), random.normal(0, 1e-4, SAMPLES)
    return np.stack([loud, faint, tone, np.zeros(SAMPLES)]).astype(np.float32)


class Alone(nn.Module):
    """A net that is nothing but a log-mel spectrogram, pooled to look like a classifier."""

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        self.log_mel = log_mel

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        return self.log_mel(waveforms).mean((1, 3))


def spec(samples: int = SAMPLES, tail: str = "align") -> AudioPreprocessing:
    return AudioPreprocessing(
        sample_rate_hz=RATE_HZ, window_samples=samples, hop_samples=samples, tail=tail
    )


@pytest.mark.parametrize("basis", ["stft", "conv"])
@pytest.mark.parametrize(
    ("mels", "frame", "hop"), [(32, 512, 128), (20, 256, 256), (40, 1024, 300)]
)
def test_log_mel_in_the_graph_is_the_reference(
    noises: np.ndarray, basis: str, mels: int, frame: int, hop: int
) -> None:
    """In PyTorch and in ONNX Runtime, within 1e-4 of float64; silence is finite."""
    layer = LogMel(RATE_HZ, mels, frame, hop, basis=basis)
    filters = mel_filters(mels, frame, RATE_HZ, 40.0, RATE_HZ / 2)
    expected = reference(noises, filters, frame, hop)
    deployed = DeployedSoundClassifier(Alone(layer), spec()).eval()
    model, _ = to_onnx(deployed, deployed.tracing_inputs())
    (name,) = (n.output[0] for n in model.graph.node if n.output[0] == "log_mel/Log")
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
    )
    session = open_session(model.SerializeToString(), "the layer", ON_CPU)

    theirs = layer(torch.from_numpy(noises)).numpy()
    ours = session.run({"waveform": noises})[name]
    assert expected.shape == (4, 1, mels, 1 + (SAMPLES - frame) // hop)
    assert np.abs(theirs - expected).max() <= 1e-4
    assert np.abs(ours - expected).max() <= 1e-4
    assert np.all(np.abs(ours[3] - math.log(FLOOR)) <= 1e-4)


def test_log_mel_of_a_tone_is_loudest_in_its_band() -> None:
    """A sine of full scale has the power 1/4 where its band is highest."""
    filters = mel_filters(32, 512, RATE_HZ, 40, RATE_HZ / 2)
    band, frequency = 12, int(filters[12].argmax())
    hertz = frequency * RATE_HZ / 512
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(SAMPLES) / RATE_HZ)

    log_mel = LogMel(RATE_HZ, 32, 512, 128)(tone[None])[0, 0]
    assert log_mel.argmax(0).unique().tolist() == [band]
    # the Hann window shows a sine half as high on either side
    seen = filters[band, frequency - 1 : frequency + 2] @ [1 / 16, 1 / 4, 1 / 16]
    assert log_mel[band].mean().item() == pytest.approx(math.log(seen), abs=1e-3)


def test_bfloat16_leaves_the_spectrogram_alone(noises: np.ndarray) -> None:
    """Under autocast, in which nets are trained, it is still float32 to the last digit."""
    layer, waveforms = LogMel(RATE_HZ, 32, 512, 128), torch.from_numpy(noises)
    with torch.autocast("cpu", torch.bfloat16):
        inside = layer(waveforms)

    assert inside.dtype == torch.float32
    assert torch.equal(inside, layer(waveforms))


def test_mel_filters_are_triangles_that_overlap() -> None:
    """Between the first and the last middle, the weights of every frequency sum to one."""
    filters = mel_filters(10, 2048, 16_000, 0, 8000)

    assert filters.shape == (10, 1025)
    assert filters.min() == 0
    first, last = filters[0].argmax(), filters[-1].argmax()
    np.testing.assert_allclose(filters.sum(0)[first + 1 : last], 1, atol=1e-9)
    assert np.all(np.diff(filters.argmax(1)) > 0)


@pytest.mark.parametrize(
    ("mels", "frame", "highest", "complaint"),
    [(128, 256, 4000.0, "too many"), (8, 256, 4001.0, "no bands"), (8, 256, 10.0, "no bands")],
)
def test_bands_that_cannot_be_are_refused(
    mels: int, frame: int, highest: float, complaint: str
) -> None:
    """A band between two frequencies would be silent for ever."""
    with pytest.raises(ValueError, match=complaint):
        LogMel(RATE_HZ, mels, frame, 128, highest_hz=highest)


def test_loudness_does_not_change_what_the_net_sees() -> None:
    """A recording at a tenth of the level gives the same levelled spectrogram."""
    net = build_net("spectrogram", 3, 1, SPECTROGRAM).eval()
    waveforms = torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))

    loud, soft = net.spectrogram(waveforms), net.spectrogram(waveforms / 10)
    torch.testing.assert_close(loud, soft, atol=0.02, rtol=0)
    assert loud.mean((1, 2, 3)).abs().max() < 1e-5
    assert net.spectrogram(torch.zeros(1, SAMPLES)).abs().max() < 1e-5


@pytest.mark.parametrize(("kind", "options"), NETS_TO_TRY)
def test_net_overfits_one_batch(kind: str, options: dict) -> None:
    """Every net can learn eight noises by heart, so gradients reach its weights."""
    torch.manual_seed(0)
    net = build_net(kind, 4, 1, options)
    waveforms, labels = torch.randn(8, SAMPLES), torch.arange(8) % 4
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(90):
        loss = functional.cross_entropy(net(waveforms), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert loss.item() < 0.1


def test_every_net_of_sounds_is_tried() -> None:
    """A net that is registered but not in the list above would go untested."""
    assert {kind for kind, _ in NETS_TO_TRY} == set(NETS_OF_TASK["audio-classification"])


@pytest.mark.parametrize(("kind", "options"), NETS_TO_TRY)
def test_exported_net_takes_any_batch(kind: str, options: dict, noises: np.ndarray) -> None:
    """One sound or four, each gets what PyTorch says of it."""
    torch.manual_seed(0)
    deployed = DeployedSoundClassifier(build_net(kind, 4, 1, options), spec()).eval()
    model, _ = to_onnx(deployed, deployed.tracing_inputs())
    session = open_session(model.SerializeToString(), "the net", ON_CPU)
    with torch.inference_mode():
        expected = deployed(torch.from_numpy(noises))

    assert [value.name for value in model.graph.input] == ["waveform"]
    for batch in (1, 4):
        ours = session.run({"waveform": noises[:batch]})
        for role, theirs in zip(("probabilities", "logits"), expected, strict=True):
            np.testing.assert_allclose(ours[role], theirs[:batch], atol=1e-5)


def test_layers_have_names_and_shapes_worth_reading(noises: np.ndarray) -> None:
    """The spectrogram is a map of one channel, a wave's features are sequences."""
    shapes = {}
    for kind, options in NETS_TO_TRY:
        deployed = DeployedSoundClassifier(build_net(kind, 4, 1, options), spec()).eval()
        model, scopes = to_onnx(deployed, deployed.tracing_inputs())
        taps = find_taps(model, scopes, deployed, torch.from_numpy(noises))
        shapes |= {(kind, path): tap.shape for tap in taps for path in tap.modules}

    assert shapes["spectrogram", "log_mel"] == (1, 32, 28)
    assert shapes["spectrogram", "level"] == (1, 32, 28)
    assert shapes["spectrogram", "resnet.layer2"] == (16, 16, 14)
    assert shapes["spectrogram", "bands"] == (1, 32, 28)
    assert shapes["spectrogram", "vgg.layer2"] == (16, 16, 14)
    assert shapes["waveform", "stem"] == (8, 501)
    assert shapes["waveform", "layer1"] == (8, 125)


def test_bands_are_normalised_each_by_itself() -> None:
    """In training, every band has the mean 0 and the deviation 1 over sounds and time."""
    torch.manual_seed(0)
    bands = BandNorm(3)(torch.randn(5, 1, 3, 50) * torch.tensor([1, 7, 0.3])[:, None] + 4)

    torch.testing.assert_close(bands.mean((0, 1, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(bands.std((0, 1, 3)), torch.ones(3), atol=0.01, rtol=0)


def test_one_net_looks_at_a_spectrogram() -> None:
    """Two that are asked for are one too many."""
    with pytest.raises(InvalidNet, match="give resnet or vgg"):
        build_net("spectrogram", 3, 1, {**VGG, "resnet": {}})


def test_nets_of_sounds_are_not_for_pictures() -> None:
    """A recipe that mixes them up is told which ones there are."""
    with pytest.raises(InvalidNet, match="there are spectrogram, waveform"):
        check_task("resnet", "audio-classification")
    with pytest.raises(InvalidNet, match="no net 'spectrogram' for image-classification"):
        check_task("spectrogram", "image-classification")


def test_segmenter_of_sounds_tells_frames() -> None:
    """Its manifest entries are a mask (N, T) and probabilities (N, classes, T)."""
    net = build_net("silence", 2, 1, {"kernel": 64, "stride": 16})
    mask, probabilities = DeployedSoundSegmenter(net, spec(208, "zeros")).eval().outputs(2)

    assert (mask.dtype, mask.shape, mask.role) == ("uint8", (None, 10), "mask")
    assert (probabilities.shape, probabilities.role) == ((None, 2, 10), "probabilities")
