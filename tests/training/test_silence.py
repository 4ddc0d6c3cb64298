from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from service.contract.golden import check_golden
from service.contract.manifest import Manifest, read_manifest
from service.contract.windows import windows_of
from service.device import ON_CPU
from service.runtime import Session, open_session
from tests.training.sound_folders import write_tones
from training.cli import assemble, train
from training.nets.silence import SilenceNet
from training.silence_figures import made_recordings

STRIDE, KERNEL = 160, 512


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("silence")
    write_tones(folder / "tones", each=30)
    arguments = ["--data", str(folder / "tones"), "--models-dir", str(folder / "models")]
    result = CliRunner().invoke(assemble, arguments)
    assert result.exit_code == 0, result.output
    return folder / "models" / "silence" / "1"


@pytest.fixture(scope="module")
def manifest(version: Path) -> Manifest:
    return read_manifest(version)


@pytest.fixture(scope="module")
def session(version: Path) -> Session:
    return open_session(version / "model.onnx", "silence", ON_CPU)


def recording(seconds: float, seed: int = 0) -> np.ndarray:
    """Return noise of 16 bit samples that comes and goes, (samples,) float32."""
    random = np.random.default_rng(seed)
    samples = round(seconds * 16_000)
    loud = np.repeat(random.random(samples // 1000 + 1) ** 4, 1000)[:samples]
    return (np.rint(random.uniform(-1, 1, samples) * loud * 32767) / 32768).astype(np.float32)


def test_assembled_version_is_whole_and_answers(
    version: Path, manifest: Manifest, session: Session
) -> None:
    """It keeps the contract of segmenters of sounds and reproduces its golden outputs."""
    assert {file.name for file in version.iterdir()} == {
        "model.onnx",
        "manifest.json",
        "golden.npz",
        "CARD.md",
    }
    assert manifest.task == "audio-segmentation"
    assert manifest.labels == ("sound", "silence")
    worst = check_golden(
        version / "golden.npz", manifest.golden, manifest.graph, session.run, "golden"
    )
    assert worst <= 1e-6
    card = (version / "CARD.md").read_text()
    assert "there was no training" in card
    assert "46 dB" in card


def test_frames_follow_each_other_across_windows(manifest: Manifest) -> None:
    """The window is as much longer than its hop as the last frame hears beyond its own time."""
    spec = manifest.preprocessing
    mask = manifest.graph.output_of_role("mask")
    assert mask is not None
    assert spec.hop_samples == mask.shape[1] * STRIDE
    assert spec.window_samples == spec.hop_samples + KERNEL - STRIDE


@pytest.mark.parametrize("frames", [1, 7, 100, 333])
@pytest.mark.parametrize("layer", ["mask", "probabilities"])
def test_map_shifts_exactly_as_the_sound_does(
    manifest: Manifest, session: Session, frames: int, layer: str
) -> None:
    """Shift the sound by any multiple of the stride, and the map shifts by so many frames."""
    window = manifest.preprocessing.window_samples
    whole = recording(14)
    here = session.run({"waveform": whole[None, :window]})[layer]
    there = session.run({"waveform": whole[None, frames * STRIDE : frames * STRIDE + window]})[
        layer
    ]

    assert np.array_equal(here[..., frames:], there[..., :-frames])


def test_long_recording_is_heard_as_one(manifest: Manifest, session: Session) -> None:
    """Windows end to end give the very frames that one long window would."""
    waveform = recording(25)
    _, windows = windows_of(waveform, manifest.preprocessing)
    masks = session.run({"waveform": windows})["mask"].reshape(-1)
    net = SilenceNet(2)
    with torch.inference_mode():
        expected = net(torch.from_numpy(waveform)[None]).argmax(1)[0].numpy()

    assert np.array_equal(masks[: len(expected)], expected)


def test_neuron_fires_below_the_threshold_and_not_above(
    manifest: Manifest, session: Session
) -> None:
    """A mean of |wave| of 0.0049 is silence, of 0.0051 sound; digital silence is sure."""
    window = manifest.preprocessing.window_samples
    levels = np.array([0, 0.0049, 0.0051, 0.5], np.float32)
    # a square wave has its height as mean
    square = np.where(np.arange(window) % 2, 1, -1).astype(np.float32)
    outputs = session.run({"waveform": levels[:, None] * square})

    assert [np.unique(mask).tolist() for mask in outputs["mask"]] == [[1], [1], [0], [0]]
    assert outputs["probabilities"][0, 1, 0] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)
    assert outputs["probabilities"][3, 0].min() > 0.999


def test_frame_is_told_of_what_lies_in_its_middle(manifest: Manifest, session: Session) -> None:
    """Sound that begins at a frame's middle is heard from that frame on, or one beside it."""
    window = manifest.preprocessing.window_samples
    waveform = np.zeros(window, np.float32)
    middle = 500 * STRIDE + KERNEL // 2
    waveform[middle:] = 0.01
    mask = session.run({"waveform": waveform[None]})["mask"][0]

    assert abs(int(np.argmax(mask == 0)) - 500) <= 1


def test_made_recordings_know_their_silences(manifest: Manifest) -> None:
    """What counts as silent is faint, what does not is a sound of full height."""
    sounds = [np.full(4000, 0.1, np.float32)] * 16
    made = made_recordings(sounds, manifest.preprocessing, STRIDE)

    assert len(made) == 2
    for waveform, silent in made:
        first = (manifest.preprocessing.window_samples - 160_000 + STRIDE) // 2
        levels = np.abs(waveform[first::STRIDE])
        assert len(levels) == len(silent)
        assert levels[silent].max() < 0.01
        assert levels[~silent].min() == 0.5


def test_nothing_to_train_is_said(tmp_path: Path) -> None:
    """`train` refuses the recipe and names the command that is for it."""
    result = CliRunner().invoke(train, ["--recipe", "silence", "--data", str(tmp_path)])

    assert result.exit_code == 1
    assert "use `assemble`" in result.output
