import io
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.codecs.sound import SoundLimits, decode_sound, is_sound, open_sound
from service.codecs.sound_bytes import SoundBytes
from service.codecs.sound_resample import Resampler, resampled_length
from service.contract.errors import (
    EmptyInput,
    InputError,
    InvalidAudio,
    TooLarge,
    UnsupportedMedia,
)

LIMITS = SoundLimits(max_seconds=600)
# With the largest error of a sample at -1..1.
LOSSLESS = {
    ("WAV", "PCM_U8"): 2**-7,
    ("WAV", "PCM_16"): 2**-15,
    ("WAV", "PCM_24"): 2**-23,
    ("WAV", "PCM_32"): 2**-23,
    ("WAV", "FLOAT"): 0,
    ("WAV", "DOUBLE"): 0,
    ("WAVEX", "PCM_16"): 2**-15,
    ("WAVEX", "PCM_24"): 2**-23,
    ("RF64", "PCM_16"): 2**-15,
    ("AIFF", "PCM_S8"): 2**-7,
    ("AIFF", "PCM_16"): 2**-15,
    ("AIFF", "PCM_24"): 2**-23,
    ("AIFF", "FLOAT"): 0,
    ("FLAC", "PCM_16"): 2**-15,
    ("FLAC", "PCM_24"): 2**-23,
}
LOSSY = [
    ("WAV", "ULAW"),
    ("WAV", "IMA_ADPCM"),
    ("WAV", "MS_ADPCM"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]
CUT_IS_KNOWN = [*LOSSLESS, *LOSSY]


def encoded(waveform: np.ndarray, rate: int, format: str, subtype: str) -> bytes:
    """Return the file of a waveform (samples,) or (samples, channels)."""
    buffer = io.BytesIO()
    channels = 1 if waveform.ndim == 1 else waveform.shape[1]
    with soundfile.SoundFile(buffer, "w", rate, channels, subtype, format=format) as file:
        # at once, libsndfile 1.2.2 writes Vorbis past the end of its stack
        for begin in range(0, len(waveform), 16_384):
            file.write(waveform[begin : begin + 16_384])
    return buffer.getvalue()


def wav(waveform: np.ndarray, rate: int = 22_050, subtype: str = "FLOAT") -> bytes:
    return encoded(waveform, rate, "WAV", subtype)


def sine(seconds: float, rate: int, hz: float = 440, loudness: float = 0.5) -> np.ndarray:
    times = np.arange(int(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * hz * times)).astype(np.float32)


@cache
def noise(format: str, subtype: str, seconds: float = 2.0) -> bytes:
    """Return stereo noise, of which every part of a file matters."""
    rate = 24_000 if subtype == "OPUS" else 22_050
    samples = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate), 2))
    return encoded(samples, rate, format, subtype)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def without_xing(mp3: bytes) -> bytes:
    """Return the MP3 from its second frame on: the first is a head that tells the length."""
    return mp3[mp3.index(mp3[:2], 4) :]


def level_db(waveform: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))) + 1e-12))


@pytest.mark.parametrize(("format", "subtype"), LOSSLESS)
def test_lossless_formats_give_the_samples_back(format: str, subtype: str) -> None:
    """At its own rate, every sample comes back to within half a step or one."""
    waveform = sine(1, 22_050)
    found = decode_sound(encoded(waveform, 22_050, format, subtype), 22_050, LIMITS)
    assert found.dtype == np.float32
    assert found.shape == waveform.shape
    assert np.abs(found - waveform).max() <= LOSSLESS[format, subtype]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize(("format", "subtype"), [*LOSSLESS, *LOSSY])
def test_tone_survives_every_format_and_rate(format: str, subtype: str, rate: int) -> None:
    """440 Hz is still 440 Hz, as loud as before, and nearly nothing but it."""
    if subtype == "OPUS" and rate == 44_100:
        rate = 12_000  # it has no such rate
    data = encoded(sine(1.5, rate), rate, format, subtype)
    found = decode_sound(data, 22_050, LIMITS)
    sound = open_sound(data, LIMITS)
    assert sound.frames is not None
    assert len(found) == resampled_length(sound.frames, sound.sample_rate_hz, 22_050)
    assert sound.duration_s == pytest.approx(1.5, abs=0.1)
    middle = found[5_000:27_050]  # one second, so that a bin of the spectrum is 1 Hz
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    assert power[437:444].sum() / power.sum() > 0.99
    assert level_db(middle) == pytest.approx(level_db(sine(1, 22_050)), abs=0.3)


@pytest.mark.parametrize(("format", "subtype"), [*LOSSLESS, *LOSSY])
def test_facts_are_told_before_decoding(format: str, subtype: str) -> None:
    """Format, rate, channels and length come from the head."""
    sound = open_sound(noise(format, subtype), LIMITS)
    names = {"WAVEX": "WAV", "RF64": "WAV", "OGG": subtype.capitalize()}
    assert sound.format == names.get(format, format)
    assert sound.channels == 2
    assert sound.sample_rate_hz == (24_000 if subtype == "OPUS" else 22_050)
    assert sound.duration_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 32])
def test_channels_are_mixed_to_their_mean(channels: int) -> None:
    """Each counts as much as any other."""
    samples = np.random.default_rng(0).uniform(-1, 1, (1000, channels)).astype(np.float32)
    found = decode_sound(wav(samples), 22_050, LIMITS)
    assert np.allclose(found, samples.mean(axis=1), atol=1e-6)


def test_values_beyond_full_scale_are_left_alone() -> None:
    """Floating-point files may be louder than 1; nobody clips them here."""
    loud = sine(0.1, 22_050, loudness=40)
    assert np.array_equal(decode_sound(wav(loud), 22_050, LIMITS), loud)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_blocks_are_small_and_together_the_whole(rate: int) -> None:
    """However it is cut into blocks, the waveform is that of soxr's in one go."""
    import soxr

    samples = np.random.default_rng(0).normal(0, 0.1, (20 * 44_100, 2)).astype(np.float32)
    blocks = list(open_sound(wav(samples, 44_100), LIMITS).blocks(rate))
    assert len(blocks) >= 5
    assert all(0 < len(block) <= 5 * rate and block.ndim == 1 for block in blocks)
    whole = soxr.resample(samples.mean(axis=1), 44_100, rate, quality="HQ")
    found = np.concatenate(blocks)
    assert found.shape == whole.shape
    assert np.abs(found - whole).max() < 1e-5


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=6),
    rates=st.tuples(st.integers(1_000, 96_000), st.integers(4_000, 48_000)),
)
def test_number_of_samples_depends_on_their_number_alone(
    lengths: list[int], rates: tuple[int, int]
) -> None:
    """Frames times the ratio of the rates, to the nearest, halves up, whatever the blocks."""
    resampler = Resampler(*rates)
    pushed = [resampler.push(np.full(length, 0.1, np.float32)) for length in lengths]
    found = sum(len(block) for block in [*pushed, resampler.finish()])
    exact = sum(lengths) * rates[1] / rates[0]
    assert abs(found - exact) <= 0.5 + 1e-6 or (found == 1 and 0 < exact < 0.5)
    assert found == resampled_length(sum(lengths), *rates)


@pytest.mark.parametrize("wrong", [-1, 0, 1])
def test_number_of_samples_is_ours_and_not_soxrs(
    wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should its floating point round another way, the last sample is cut off or added."""

    class Miscounting:
        def resample_chunk(self, block: np.ndarray, last: bool = False) -> np.ndarray:
            return np.ones(50 + wrong if last else 0, np.float32)

    monkeypatch.setattr("service.codecs.sound_resample._stream", lambda *rates: Miscounting())
    resampler = Resampler(2_000, 1_000)
    assert len(resampler.push(np.ones(100, np.float32))) == 0
    assert len(resampler.finish()) == 50


def test_one_sample_is_a_sound() -> None:
    """Even where so little would round to nothing."""
    assert len(decode_sound(wav(np.full(1, 0.5, np.float32), 96_000), 8_000, LIMITS)) == 1


def test_stored_rate_and_channels_hardly_matter() -> None:
    """A low tone is the same from 44,100 Hz stereo and from 8,000 Hz mono."""
    tone = sine(3, 44_100, hz=200)
    found = [
        decode_sound(data, 22_050, LIMITS)
        for data in (wav(np.stack([tone, tone], axis=1), 44_100), wav(sine(3, 8_000, 200), 8_000))
    ]
    assert len(found[0]) == len(found[1])
    assert level_db((found[0] - found[1])[2_000:-2_000]) < level_db(found[0]) - 80


@pytest.mark.parametrize("hz", [9_000, 12_000, 15_000, 20_000])
def test_what_is_above_the_new_nyquist_frequency_is_gone(hz: int) -> None:
    """From 44,100 to 16,000 Hz no such tone folds back into what is heard."""
    found = decode_sound(wav(sine(2, 44_100, hz), 44_100), 16_000, LIMITS)
    assert level_db(found[1_000:-1_000]) < level_db(sine(1, 44_100)) - 90


def test_a_sound_may_be_decoded_twice_and_left_early() -> None:
    """Nothing stays open or used up."""
    sound = open_sound(noise("FLAC", "PCM_16", 20.0), LIMITS)
    early = iter(sound.blocks(16_000))
    next(early)
    again = [np.concatenate(list(sound.blocks(16_000))) for _ in range(2)]
    assert np.array_equal(*again)
    assert len(again[0]) == 320_000


def test_threads_do_not_disturb_each_other() -> None:
    """Eight at once, broken sounds among them, hear what one alone hears."""
    kinds = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), *LOSSY[3:]]
    alone = {kind: decode_sound(noise(*kind), 16_000, LIMITS) for kind in kinds}

    def works(turn: int) -> bool:
        kind = kinds[turn % len(kinds)]
        with pytest.raises(InputError):
            decode_sound(noise(*kind)[: 3000 + turn], 16_000, LIMITS)
        return np.array_equal(decode_sound(noise(*kind), 16_000, LIMITS), alone[kind])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(works, range(40)))


def test_nothing_is_not_a_sound() -> None:
    """No bytes at all is an error of its own."""
    with pytest.raises(EmptyInput, match="sound"):
        open_sound(b"", LIMITS)
    assert not is_sound(b"")


def picture(format: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


NO_SOUNDS = {
    "text": b"hello " * 1000,
    "text that begins like a tag": b"ID3 is a decision tree algorithm. " * 100,
    "tag of no size that could be": b"ID3\x03\x00\x00\xff\xff\xff\xff" + bytes(4000),
    "UTF-16": ("häuser " * 1000).encode("utf-16"),
    "short UTF-16": "a".encode("utf-16"),
    "JSON": b'{"sound": 1}',
    "JPEG": picture("JPEG"),
    "PNG": picture("PNG"),
    "WebP, which is a RIFF too": picture("WEBP"),
    "AVI": b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(4000),
    "IFF of a picture": b"FORM\x00\x00\x10\x00ILBMBMHD" + bytes(4000),
    "program": Path(sys.executable).read_bytes()[:100_000],
    "bytecode": test_nothing_is_not_a_sound.__code__.co_code * 50,
    "samples without a head": (sine(1, 8_000) * 32_767).astype(np.int16).tobytes(),
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
    "one frame of MP3": b"\xff\xfb\x90\x64" + bytes(1000),
    "AAC": (b"\xff\xf1\x50\x80\x04\x1f\xfc" + bytes(26)) * 50,
    "MP4": b"\x00\x00\x00\x20ftypM4A " + bytes(4000),
    "MIDI": b"MThd\x00\x00\x00\x06" + bytes(400),
    "Ogg of a film": b"OggS\x00\x02" + bytes(20) + b"\x01\x2a\x80theora" + bytes(4000),
    "Sun's AU": b".snd" + bytes(4000),
}


@pytest.mark.parametrize("name", NO_SOUNDS)
def test_what_is_no_sound_brings_the_formats_that_are_read(name: str) -> None:
    """The content decides; the message tells which formats would have worked."""
    assert not is_sound(NO_SOUNDS[name])
    with pytest.raises(UnsupportedMedia, match="WAV, AIFF, FLAC, Vorbis, Opus, MP3"):
        open_sound(NO_SOUNDS[name], LIMITS)


def test_random_bytes_are_no_sound() -> None:
    """Nothing is guessed to be samples, whatever it begins with."""
    bytes_ = np.random.default_rng(0).bytes(400_000)
    assert not any(is_sound(bytes_[begin : begin + 4096]) for begin in range(0, 390_000, 7))


@pytest.mark.parametrize(("format", "subtype"), [*LOSSLESS, *LOSSY])
def test_first_kilobytes_suffice_to_know_a_sound(format: str, subtype: str) -> None:
    """As they are, and behind the tag that music programs put before any format."""
    begin = noise(format, subtype)[:4096]
    tag = b"ID3\x03\x00\x00\x00\x00\x07\x76" + bytes(1014)
    assert is_sound(begin)
    assert is_sound(tag + begin)
    assert len(decode_sound(tag + noise("FLAC", "PCM_16"), 22_050, LIMITS)) == 44_100


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
@pytest.mark.parametrize(("format", "subtype"), CUT_IS_KNOWN)
def test_sound_cut_short_is_refused(format: str, subtype: str, share: float) -> None:
    """Half a file is never half a sound without a word."""
    data = noise(format, subtype)
    with pytest.raises(InvalidAudio):
        decode_sound(data[: int(share * len(data))], 22_050, LIMITS)


@pytest.mark.parametrize(
    ("format", "subtype"), [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("OGG", "OPUS"), *LOSSY[-1:]]
)
def test_cut_is_told_before_decoding(format: str, subtype: str) -> None:
    """Where the head tells the size of the whole, nobody waits for the end."""
    data = noise(format, subtype)
    with pytest.raises(InvalidAudio, match="cut short"):
        open_sound(data[: len(data) // 2], LIMITS)


def test_few_missing_bytes_are_a_miscount() -> None:
    """Some writers count 44 bytes of head among the samples: 0.5 ms are no loss."""
    data = noise("WAV", "PCM_16")
    claimed = struct.unpack_from("<I", data, 40)[0] + 44
    found = decode_sound(patched(data, 40, struct.pack("<I", claimed)), 22_050, LIMITS)
    assert np.array_equal(found, decode_sound(data, 22_050, LIMITS))


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_wav_written_into_a_pipe_is_read_to_its_end(size: int) -> None:
    """ffmpeg and SoX cannot know the size then; what is there is all."""
    data = patched(noise("WAV", "PCM_16"), 40, struct.pack("<I", size))
    assert len(decode_sound(data, 22_050, LIMITS)) == 44_100


def test_flac_that_does_not_know_its_length_is_read_to_its_end() -> None:
    """Written into a pipe, FLAC tells nothing, and neither do we."""
    data = flac_of_length(noise("FLAC", "PCM_16"), 0)
    assert open_sound(data, LIMITS).duration_s is None
    assert len(decode_sound(data, 22_050, LIMITS)) == 44_100
    with pytest.raises(TooLarge, match=r"at most 1\.5 s"):
        decode_sound(data, 22_050, SoundLimits(max_seconds=1.5))


def flac_of_length(data: bytes, frames: int) -> bytes:
    """Return the FLAC with another length in its head: the last 36 bits of eight bytes."""
    head = int.from_bytes(data[18:26], "big") >> 36 << 36
    return patched(data, 18, (head | frames).to_bytes(8, "big"))


def test_mp3_without_a_head_is_read_to_its_end() -> None:
    """Of a variable bit rate too, where guesses from the first frame are far too short."""
    quiet, loud = sine(10, 44_100, 300, 0.01), np.random.default_rng(0).normal(0, 0.2, 441_000)
    data = without_xing(encoded(np.concatenate([quiet, loud]), 44_100, "MP3", "MPEG_LAYER_III"))
    assert open_sound(data, LIMITS).duration_s == pytest.approx(20, abs=0.1)
    assert len(decode_sound(data, 44_100, LIMITS)) == pytest.approx(882_000, abs=4_000)


def test_mp3_without_a_head_may_be_cut_anywhere() -> None:
    """Nobody can tell that its end is missing, so what is there is taken for all."""
    data = without_xing(noise("MP3", "MPEG_LAYER_III"))
    found = decode_sound(data[: len(data) // 2], 22_050, LIMITS)
    assert len(found) == pytest.approx(22_050, abs=2_000)


def test_mp3_is_as_long_as_what_was_encoded() -> None:
    """The silence that encoders put in front and behind is taken away again."""
    found = decode_sound(noise("MP3", "MPEG_LAYER_III"), 22_050, LIMITS)
    original = decode_sound(noise("WAV", "FLOAT"), 22_050, LIMITS)
    assert len(found) == len(original)
    assert np.corrcoef(found, original)[0, 1] > 0.7  # noise is what MP3 does worst


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), bytes(100_000), b"\xff" * 300])
def test_tags_behind_an_mp3_do_no_harm(tail: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither to the waveform, nor by a word of the decoder's on standard error."""
    data = noise("MP3", "MPEG_LAYER_III")
    expected = decode_sound(data, 22_050, LIMITS)
    assert np.array_equal(decode_sound(data + tail, 22_050, LIMITS), expected)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("format", "subtype"), [*LOSSLESS, *LOSSY])
def test_small_tag_behind_any_sound_does_no_harm(format: str, subtype: str) -> None:
    """Music programs append it to whatever they find."""
    data = noise(format, subtype)
    found = decode_sound(data + b"TAG" + bytes(125), 22_050, LIMITS)
    assert np.array_equal(found, decode_sound(data, 22_050, LIMITS))


def test_two_mp3s_in_a_row_are_both_heard() -> None:
    """mpg123 would stop where the first says that it ends."""
    data = noise("MP3", "MPEG_LAYER_III")
    assert len(decode_sound(data * 2, 22_050, LIMITS)) > 2 * 44_100


def test_mp3_that_changes_midway_is_refused() -> None:
    """mpg123 would stop there without a word."""
    mono = encoded(sine(1, 22_050), 22_050, "MP3", "MPEG_LAYER_III")
    with pytest.raises(InvalidAudio, match="changes from 22050 Hz and 2 channels"):
        open_sound(without_xing(noise("MP3", "MPEG_LAYER_III")) + mono, LIMITS)


def test_junk_amid_an_mp3_is_refused() -> None:
    """Where frames do not follow each other, nobody knows what is missing."""
    data = noise("MP3", "MPEG_LAYER_III")
    with pytest.raises(InvalidAudio, match="broken at byte"):
        open_sound(data[:5_000] + b"junk" * 20 + data[5_000:], LIMITS)


def test_two_oggs_in_a_row_are_refused() -> None:
    """libsndfile would hear the first alone, without a word."""
    with pytest.raises(InvalidAudio, match="more than one stream"):
        open_sound(noise("OGG", "VORBIS") + noise("OGG", "OPUS"), LIMITS)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16")])
def test_damage_is_found_by_checksums(kind: tuple[str, str], share: float) -> None:
    """libsndfile would leave out damaged pages of Ogg, without a word at the ends."""
    data = noise(*kind)
    at = int(len(data) * share)
    broken = patched(data, at, bytes([data[at] ^ 1]))
    with pytest.raises(InvalidAudio, match="broken"):
        decode_sound(broken, 22_050, LIMITS)


def test_last_page_of_ogg_is_checked_too() -> None:
    """libsndfile takes the length from the last good page, and so would miss nothing."""
    data = noise("OGG", "VORBIS")
    with pytest.raises(InvalidAudio, match=f"page of Ogg at byte {data.rindex(b'OggS'):,}"):
        open_sound(patched(data, len(data) - 1, bytes([data[-1] ^ 1])), LIMITS)


@pytest.mark.parametrize(("format", "subtype"), [("WAV", "FLOAT"), *LOSSY[3:], ("FLAC", "PCM_16")])
def test_limit_of_length_holds_before_decoding(format: str, subtype: str) -> None:
    """The head alone decides."""
    with pytest.raises(TooLarge, match="at most 1 s"):
        open_sound(noise(format, subtype), SoundLimits(max_seconds=1))


@pytest.mark.parametrize("frames", [2**36 - 1, 10 * 3600 * 22_050])
def test_flac_that_claims_hours_is_too_large(frames: int) -> None:
    """Whatever little data is behind it."""
    data = flac_of_length(noise("FLAC", "PCM_16"), frames)
    with pytest.raises(TooLarge, match="at most 600 s"):
        open_sound(data[:1000], LIMITS)


def test_flac_that_claims_too_much_is_cut_short() -> None:
    """What ends a second early is told at the end."""
    data = flac_of_length(noise("FLAC", "PCM_16"), 3 * 22_050)
    with pytest.raises(InvalidAudio, match=r"lasts 3\.00 s, but only 2\.00 s"):
        decode_sound(data, 22_050, LIMITS)


@pytest.mark.parametrize("hours", [1, 10])
def test_wav_that_claims_hours_is_cut_short(hours: int) -> None:
    """A thousand bytes are not ten hours, and no memory is taken for them."""
    claim = struct.pack("<I", hours * 3600 * 22_050 * 4)
    with pytest.raises(InvalidAudio, match="only 956 of them are there"):
        open_sound(patched(noise("WAV", "PCM_16"), 40, claim)[:1000], LIMITS)


def test_limit_of_samples_counts_all_channels() -> None:
    """Two channels of two seconds are 88,200 samples."""
    data = noise("FLAC", "PCM_16")
    assert open_sound(data, SoundLimits(max_samples=88_200)).frames == 44_100
    with pytest.raises(TooLarge, match="44,100 x 2 = 88,200 samples or more; at most 88,199"):
        open_sound(data, SoundLimits(max_samples=88_199))


def test_too_many_channels_are_refused() -> None:
    """Nobody has 64 ears."""
    data = wav(np.zeros((1000, 64), np.float32), 192_000)
    with pytest.raises(TooLarge, match="64 channels; at most 32"):
        open_sound(data, SoundLimits())


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2**31 - 1])
def test_absurd_sample_rates_are_refused(rate: int) -> None:
    """Neither would the sound be one, nor could it be resampled in bounded memory."""
    data = patched(noise("WAV", "PCM_16"), 24, struct.pack("<I", rate))
    with pytest.raises(InvalidAudio, match="from 1,000 to 768,000 Hz"):
        open_sound(data, LIMITS)


@pytest.mark.parametrize("rate", [1_000, 767_999])
def test_odd_sample_rates_are_resampled(rate: int) -> None:
    """Up to the ends of what is allowed."""
    found = decode_sound(wav(sine(2, rate, 100), rate), 22_050, LIMITS)
    assert np.abs(found - sine(2, 22_050, 100))[2_000:-2_000].max() < 1e-3


@pytest.mark.parametrize("format", ["WAV", "AIFF"])
def test_sound_without_a_sample_is_empty(format: str) -> None:
    """A head alone is no sound."""
    with pytest.raises(InvalidAudio, match="not one sample"):
        open_sound(encoded(np.zeros(0), 8_000, format, "PCM_16"), LIMITS)


def test_sound_without_length_or_sample_is_empty() -> None:
    """Where the head does not say that there is nothing, the end does."""
    data = flac_of_length(noise("FLAC", "PCM_16"), 0)
    with pytest.raises(InvalidAudio, match="not one sample"):
        decode_sound(data[: data.index(b"\xff\xf8")], 22_050, LIMITS)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [22_050, 16_000])
def test_samples_that_are_no_numbers_are_refused(bad: float, rate: int) -> None:
    """One among many is enough, wherever it is."""
    for place in (0, 100_000, -1):
        samples = np.zeros((110_000, 2), np.float32)
        samples[place, 1] = bad
        with pytest.raises(InvalidAudio, match="no finite numbers"):
            decode_sound(wav(samples), rate, LIMITS)


def test_sums_of_huge_samples_do_not_overflow() -> None:
    """The mean of what fits into float32 fits as well."""
    samples = np.full((1000, 8), 3e38, np.float32)
    assert np.allclose(decode_sound(wav(samples), 22_050, LIMITS), 3e38, rtol=1e-6)


@settings(max_examples=500, deadline=None)
@given(
    kind=st.sampled_from([*LOSSLESS, *LOSSY]),
    edits=st.lists(
        st.tuples(st.booleans(), st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    how=st.sampled_from(["keep", "keep", "truncate", "remove", "repeat"]),
)
def test_damaged_bytes_give_a_waveform_or_one_of_our_errors(
    kind: tuple[str, str], edits: list[Any], cut: tuple[float, float], how: str
) -> None:
    """Whatever is wrong with the bytes, no exception of the decoder escapes."""
    data = bytearray(noise(*kind, 0.2))
    for in_head, place, value in edits:
        data[int(place * (min(len(data), 100 if in_head else len(data)) - 1))] = value
    begin, end = sorted(int(place * len(data)) for place in cut)
    damaged = bytes(
        {
            "keep": data,
            "truncate": data[:begin],
            "remove": data[:begin] + data[end:],
            "repeat": data[:end] + data[begin:],
        }[how]
    )
    try:
        waveform = decode_sound(damaged, 16_000, LIMITS)
    except InputError:
        return
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert len(waveform) > 0
    assert np.isfinite(waveform).all()


@pytest.mark.parametrize(("format", "subtype"), [*LOSSLESS, ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_decoder_is_silent(format: str, subtype: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Hostile bytes leave nothing on standard error: callbacks from C raise nothing."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        data = bytearray(noise(format, subtype, 0.2))
        for place in random.integers(4, 120, 4):
            data[place] = random.choice([0, 1, 127, 128, 255])
        try:
            decode_sound(bytes(data), 16_000, LIMITS)
        except InputError:
            continue
    assert capfd.readouterr().err == ""


def test_pieces_read_like_one_file() -> None:
    """Wherever one begins, and however far anybody goes past the ends."""
    whole = bytes(range(100))
    file, model = SoundBytes(whole[:30], b"", memoryview(whole)[30:]), io.BytesIO(whole)
    random = np.random.default_rng(0)
    for size in random.integers(0, 80, 200).tolist():
        at = int(random.integers(0, 101))
        assert file.seek(at) == model.seek(at)
        assert file.read(size) == model.read(size)
        assert file.tell() == model.tell()
    assert (file.seek(-5), file.seek(-200, io.SEEK_END), file.seek(200)) == (0, 0, 100)
    assert (file.seek(-10, io.SEEK_CUR), file.seek(-20, io.SEEK_END)) == (90, 80)


@pytest.mark.parametrize("error", [ValueError("odd"), OSError("odd"), RuntimeError("odd")])
def test_whatever_the_decoder_raises_is_one_of_our_errors(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only what soundfile documents."""

    def fails(*arguments: Any, **more: Any) -> None:
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", fails)
    with pytest.raises(InvalidAudio, match="cannot be decoded: odd"):
        decode_sound(noise("WAV", "PCM_16"), 22_050, LIMITS)


def in_fresh_interpreter(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_cheap() -> None:
    """Servers that hear nothing do not load the decoder."""
    loaded = in_fresh_interpreter(
        "import sys, service.codecs.sound; print(*{'soundfile', 'soxr'} & set(sys.modules))"
    )
    assert loaded.strip() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_long_silence_takes_little_memory(tmp_path: Path) -> None:
    """Two hours at 8,000 Hz, some kilobytes of FLAC, are 110 MB as a waveform at 4,000 Hz."""
    path = tmp_path / "silence.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_16") as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8_000, np.int16))
    assert path.stat().st_size < 1_000_000
    found = in_fresh_interpreter(
        f"""if True:
        import resource
        from service.codecs.sound import SoundLimits, open_sound
        sound = open_sound(open({str(path)!r}, "rb").read(), SoundLimits())
        next(sound.blocks(4_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        samples = sum(len(block) for block in sound.blocks(4_000))
        print(samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        """
    )
    samples, grown_kib = map(int, found.split())
    assert samples == 2 * 3600 * 4_000
    assert grown_kib < 16 * 1024


@pytest.mark.parametrize(("channels", "rate"), [(1, 768_000), (2, 44_100), (32, 192_000)])
def test_blocks_take_no_more_memory_for_many_channels(
    channels: int, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read at once is bounded by the samples of all channels."""
    asked: list[int] = []
    read = soundfile.SoundFile.read

    def noted(self: soundfile.SoundFile, frames: int, *rest: Any, **more: Any) -> np.ndarray:
        asked.append(frames * self.channels)
        return read(self, frames, *rest, **more)

    monkeypatch.setattr(soundfile.SoundFile, "read", noted)
    decode_sound(wav(np.zeros((400_000 // channels, channels), np.float32), rate), 8_000, LIMITS)
    assert len(asked) > 1
    assert max(asked) <= 2**18
