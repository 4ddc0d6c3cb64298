import subprocess
import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from service.codecs.sound import SoundLimits
from service.contract.errors import DeadlineExceeded, InvalidAudio, TooLarge, UnsupportedMedia
from service.contract.specs import AudioPreprocessing
from service.contract.windows import windows_of
from service.tasks import listen
from service.tasks.listen import Listener, Recording
from tests.sounds import RATE_HZ, stored, tone
from tests.tiny_models import write_listener

SPEC = AudioPreprocessing(sample_rate_hz=RATE_HZ, window_samples=400, hop_samples=300)


class Net:
    """Tells the mean and the largest sample of each window, and keeps the shapes that it saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, windows: np.ndarray, alone: bool) -> np.ndarray:
        assert windows.dtype == np.float32
        self.shapes.append(windows.shape)
        return np.stack([windows.mean(axis=1), windows.max(axis=1)], axis=1)


def listener(net: Net, spare_silence: bool = True, max_seconds: float = 100) -> Listener:
    return Listener(SPEC, net, SoundLimits(max_seconds=max_seconds), spare_silence)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)


@pytest.fixture
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sounds of more than 500 samples are decoded while they run."""
    monkeypatch.setattr(listen, "_SHORT_SAMPLES", 500)


def test_sound_is_cut_as_the_contract_says() -> None:
    """The model sees the windows of `windows_of`, at most 16 at a time."""
    net, waveform = Net(), noise(10_000)
    heard, timing = listener(net).listen(stored(waveform))
    starts, windows = windows_of(waveform, SPEC)
    assert heard.starts.tolist() == starts
    assert heard.samples == 10_000
    np.testing.assert_array_equal(heard.outputs, net(windows, True))
    assert net.shapes[:-1] == [(16, 400), (16, 400), (1, 400)]
    assert timing.total_ms >= timing.decode_ms + timing.compute_ms - 0.01 > 0


def test_windows_of_several_sounds_share_a_run() -> None:
    """A batch gives each sound what it would have got on its own."""
    net, waveforms = Net(), [noise(samples, samples) for samples in (1000, 1, 400, 2000)]
    ours = listener(net)
    prepared = [ours.prepare(Recording(stored(waveform))) for waveform in waveforms]
    assert {key for key, _ in prepared} == {"short"}
    together = ours.run([item for _, item in prepared], False)
    assert net.shapes == [(12, 400)]
    for heard, waveform in zip(together, waveforms, strict=True):
        alone, _ = ours.listen(stored(waveform))
        np.testing.assert_array_equal(heard.starts, alone.starts)
        np.testing.assert_array_equal(heard.outputs, alone.outputs)
        assert heard.samples == len(waveform)


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "Vorbis", "MP3"])
def test_long_sound_is_heard_as_a_short_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded while it runs, by itself, it has the same windows as at once."""
    data = stored(noise(50_000), kind=kind)
    ours = listener(Net())
    key, prepared = ours.prepare(Recording(data))
    assert prepared.waveform is None
    assert ours.prepare(Recording(data))[0] != key
    (streamed,) = ours.run([prepared], True)
    monkeypatch.setattr(listen, "_SHORT_SAMPLES", 10**6)
    whole, _ = ours.listen(data)
    np.testing.assert_array_equal(streamed.outputs, whole.outputs)
    np.testing.assert_array_equal(streamed.starts, whole.starts)
    assert streamed.samples == whole.samples
    assert streamed.decode_s > 0 == whole.decode_s


@pytest.mark.usefixtures("everything_is_long")
def test_sound_that_does_not_say_how_long_it_is_may_be_long() -> None:
    """A FLAC that was written into a pipe is found to be long when it goes on."""
    data = bytearray(stored(noise(5000), kind="FLAC"))
    # the low 36 bits of STREAMINFO's 8 bytes from 10 on: total samples, 0 for unknown
    at = 8 + 10
    data[at + 3] &= 0xF0
    data[at + 4 : at + 8] = bytes(4)
    _, prepared = listener(Net()).prepare(Recording(bytes(data)))
    assert prepared.sound.duration_s is None
    assert prepared.waveform is None


def test_silent_windows_are_spared() -> None:
    """What is digitally silent is not given to a classifier, but to a segmenter."""
    waveform = np.concatenate([noise(1000), np.zeros(2000, np.float32), noise(1000)])
    for spare in (True, False):
        net = Net()
        heard, _ = listener(net, spare).listen(stored(waveform))
        silent = [not waveform[start : start + 400].any() for start in heard.starts]
        assert any(silent)
        assert heard.given.tolist() == [not (spare and quiet) for quiet in silent]
        assert len(heard.outputs) == heard.given.sum() == sum(shape[0] for shape in net.shapes)


def test_silence_throughout_runs_nothing() -> None:
    """Then there are no outputs, and the windows are told all the same."""
    net = Net()
    heard, _ = listener(net).listen(stored(np.full(1000, 0.00005, np.float32)))
    assert not net.shapes
    assert not heard.given.any()
    assert len(heard.starts) == 3


@pytest.mark.usefixtures("everything_is_long")
def test_work_ends_when_nobody_waits() -> None:
    """Between two runs a sound is given up if its client has gone."""
    gone, net = Event(), Net()
    ours = listener(net)

    def leave(windows: np.ndarray, alone: bool) -> np.ndarray:
        gone.set()
        return net(windows, alone)

    ours._run = leave
    _, prepared = ours.prepare(Recording(stored(noise(40_000)), gone))
    with pytest.raises(DeadlineExceeded):
        ours.run([prepared], True)
    assert len(net.shapes) == 1


def test_client_that_left_harms_no_batch_mate() -> None:
    """As long as somebody waits, all of a batch is run."""
    ours, gone = listener(Net()), Event()
    gone.set()
    prepared = [ours.prepare(Recording(stored(noise(900)), gone))[1]]
    prepared += [ours.prepare(Recording(stored(noise(900, 1))))[1]]
    assert len(ours.run(prepared, False)) == 2


@pytest.mark.usefixtures("everything_is_long")
def test_what_breaks_on_the_way_is_told() -> None:
    """A long FLAC that is damaged in the middle fails when its blocks are reached."""
    data = bytearray(stored(noise(400_000), kind="FLAC"))
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    ours = listener(Net())
    _, prepared = ours.prepare(Recording(bytes(data)))
    with pytest.raises(InvalidAudio):
        ours.run([prepared], True)


def test_bad_sounds_fail_while_they_are_prepared() -> None:
    """So that they befall nobody else."""
    ours = listener(Net(), max_seconds=1)
    with pytest.raises(UnsupportedMedia):
        ours.prepare(Recording(b"text"))
    with pytest.raises(TooLarge):
        ours.prepare(Recording(stored(tone(1.5))))
    with pytest.raises(InvalidAudio):
        ours.prepare(Recording(stored(np.full(100, np.nan, np.float32))))


def test_first_window_is_the_model_input() -> None:
    """Of a sound shorter than that, repeated."""
    ours, waveform = listener(Net()), noise(300)
    np.testing.assert_array_equal(ours.model_input(stored(waveform)), np.resize(waveform, 400))


_HOUR = """
import io, resource, sys
import numpy as np, soundfile
from pathlib import Path
from service.runners import Runners
from service.settings import Settings
from service.wiring import open_live

settings = Settings(models_dir=Path(sys.argv[1]), device="cpu", threads=1)
model = open_live(settings, Runners(1)).catalog.get("loudness")
task = model.listening("classify").task
second = (0.5 * np.sin(np.arange(8000) / 3)).astype(np.float32)
file = io.BytesIO()
with soundfile.SoundFile(file, "w", 8000, 1, "PCM_16", format="FLAC") as writer:
    for number in range(int(sys.argv[2])):
        writer.write(second)
task.listen(Path(sys.argv[3]).read_bytes())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
heard, _ = task.listen(file.getvalue())
print(heard.samples, len(heard.starts), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_an_hour_needs_little_memory(tmp_path: Path) -> None:
    """Sixty minutes of sound are heard within 100 MB, since no more than a few windows are kept."""
    write_listener(tmp_path / "models")
    (tmp_path / "short.wav").write_bytes(stored(tone(1)))
    arguments = [str(tmp_path / "models"), "3600", str(tmp_path / "short.wav")]
    done = subprocess.run(
        [sys.executable, "-c", _HOUR, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    samples, windows, grown_kb = map(int, done.stdout.split())
    assert samples == 3600 * 8000
    assert windows == 14_399
    assert grown_kb < 100_000
