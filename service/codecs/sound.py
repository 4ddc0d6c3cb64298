"""Bytes to a mono waveform at a wanted sample rate, however a sound was stored."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.codecs.sound_bytes import opened
from service.codecs.sound_chunks import check_chunks
from service.codecs.sound_cut import cut_short
from service.codecs.sound_format import FORMATS, sniff
from service.codecs.sound_mpeg import mp3_pieces
from service.codecs.sound_pages import check_pages
from service.codecs.sound_resample import Resampler, Waveform
from service.contract.errors import EmptyInput, InvalidAudio, TooLarge, UnsupportedMedia

# Ends of file names that such sounds have; only folders are searched by them.
SOUND_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
_SAMPLE_RATES_HZ = range(1_000, 768_001)
# What libsndfile calls the formats; a file must be what it began like.
_MAJORS = {"WAV": {"WAV", "WAVEX", "RF64"}, "Vorbis": {"OGG"}, "Opus": {"OGG"}}
# A block is so long at most, and holds so many samples of all channels: 1 MiB as float32.
_BLOCK_S = 4
_BLOCK_SAMPLES = 2**18
# Lengths of which libsndfile knows nothing are 2^63 - 1.
_UNKNOWN_FRAMES = 2**62


@dataclass(frozen=True)
class SoundLimits:
    """What a sound may cost.

    max_seconds: its length. max_channels: how many it may have before they are mixed.
    max_samples: stored samples of all channels together, which decoding time depends on:
        by default two hours of stereo at 96,000 Hz. A core decodes some 90 million
        samples of FLAC a second, of Opus 20 million (virtual CPU, best of three runs).
    """

    max_seconds: float = 7200.0
    max_channels: int = 32
    max_samples: int = 1_400_000_000


@dataclass(frozen=True)
class Sound:
    """What the head of a sound tells; `blocks` decodes it, as often as wanted.

    format: one of FORMATS. frames: samples of each channel, None where the file does not say
        (FLAC that was written into a pipe).
    Nothing stays open, so threads may share one.
    """

    format: str
    sample_rate_hz: int
    channels: int
    frames: int | None
    _pieces: tuple[bytes | memoryview, ...] = field(repr=False)
    _limits: SoundLimits = field(repr=False)

    @property
    def duration_s(self) -> float | None:
        """Return the length in seconds, or None where the file does not say."""
        return None if self.frames is None else self.frames / self.sample_rate_hz

    def blocks(self, sample_rate_hz: int) -> Iterator[Waveform]:
        """Yield the waveform in blocks (samples,) float32, each of some 4 s at most.

        sample_rate_hz: from 1,000 to 768,000. There are frames * wanted / stored samples in
            all, to the nearest, halves up, and one at least.
        The channels' mean is taken. Full scale is -1..1, but files of floating-point numbers
            and lossy ones may pass it: nothing is clipped.
        Raises: TooLarge at the limits, if the file did not tell before. InvalidAudio if the
            file is broken, shorter than it says, or holds what is no finite number; maybe
            only after blocks that were good. Of a broken MP3, libmpg123 itself prints a
            line on standard error that cannot be turned off here.
        """
        resampler = Resampler(self.sample_rate_hz, sample_rate_hz)
        for block in self._stored():
            yield from _finite(resampler.push(block))
        yield from _finite(resampler.finish())

    def _stored(self) -> Iterator[Waveform]:
        """Yield the mono mix at the stored rate."""
        size = max(min(_BLOCK_S * self.sample_rate_hz, _BLOCK_SAMPLES // self.channels), 1)
        frames, most = 0, _UNKNOWN_FRAMES if self.frames is None else self.frames
        with opened(self._pieces) as file:
            # never past the promised end, where tags may lie that decoders take for damage
            while len(block := file.read(min(size, most - frames), "float32", always_2d=True)):
                frames += len(block)
                _check_length(frames, self.sample_rate_hz, self.channels, self._limits)
                yield from _finite(_mixed(block))
        self._check_end(frames)

    def _check_end(self, frames: int) -> None:
        promised = self.frames or 0
        # Some writers miscount by a block or two of their codec's.
        if promised - frames > min(self.sample_rate_hz, promised) // 10:
            raise cut_short(promised / self.sample_rate_hz, frames / self.sample_rate_hz)
        if not frames:
            raise _no_sound()


def open_sound(data: bytes, limits: SoundLimits) -> Sound:
    """Return what a sound is, before any of it is decoded.

    data: a file in one of FORMATS; the content decides, never a name or a header.
    Raises: EmptyInput, UnsupportedMedia, TooLarge or InvalidAudio. Missing parts are found
        here in WAV, AIFF and Ogg, and in MP3 that tells its length; in FLAC while decoding.
        Where the length is not told (MP3 without Xing's head, WAV written into a pipe, Ogg
        cut between two pages), what is there is taken for all.
    """
    if not data:
        raise EmptyInput("The body is empty: send the bytes of a sound.")
    found = sniff(data)
    if found is None:
        raise UnsupportedMedia(
            f"The data is no sound in a format that is read here: {', '.join(FORMATS)}."
        )
    format, start = found
    pieces = _pieces(data, format, start, limits)
    with opened(pieces) as file:
        sound = _described(file, format, pieces, limits)
    if sound.frames == 0:
        raise _no_sound()
    return sound


def decode_sound(data: bytes, sample_rate_hz: int, limits: SoundLimits) -> Waveform:
    """Return the whole waveform (samples,) float32, mono, as `Sound.blocks` describes it.

    Raises: as open_sound and Sound.blocks.
    """
    return np.concatenate(list(open_sound(data, limits).blocks(sample_rate_hz)))


def is_sound(data: bytes) -> bool:
    """Tell by the first bytes whether this may be a sound in one of FORMATS.

    data: a file, or its first 4 KB at least.
    """
    return sniff(data) is not None


def _pieces(
    data: bytes, format: str, start: int, limits: SoundLimits
) -> tuple[bytes | memoryview, ...]:
    """Return the parts of memory that the decoder is to read as one file."""
    if format == "MP3":
        return mp3_pieces(data, start, limits.max_seconds)
    if format in ("Vorbis", "Opus"):
        check_pages(data, start)
    if format in ("WAV", "AIFF"):
        check_chunks(data, start)
    return (memoryview(data)[start:],)


def _described(
    file: Any, format: str, pieces: tuple[bytes | memoryview, ...], limits: SoundLimits
) -> Sound:
    """Return what the opened file is, if it is what it looked like and within the limits."""
    if file.format not in _MAJORS.get(format, {format}):
        raise InvalidAudio(f"The sound begins like {format}, but is none.")
    if file.samplerate not in _SAMPLE_RATES_HZ:
        raise InvalidAudio(
            f"The sound says that its sample rate is {file.samplerate:,} Hz; "
            "rates are read from 1,000 to 768,000 Hz."
        )
    if file.channels > limits.max_channels:
        raise TooLarge(
            f"The sound has {file.channels} channels; at most {limits.max_channels} are read."
        )
    frames = file.frames if 0 <= file.frames < _UNKNOWN_FRAMES else None
    _check_length(frames or 0, file.samplerate, file.channels, limits)
    return Sound(format, file.samplerate, file.channels, frames, pieces, limits)


def _check_length(frames: int, sample_rate_hz: int, channels: int, limits: SoundLimits) -> None:
    if frames > limits.max_seconds * sample_rate_hz:
        raise TooLarge(
            f"The sound lasts {frames / sample_rate_hz:,.1f} s or more; "
            f"at most {limits.max_seconds:,g} s are decoded."
        )
    if frames * channels > limits.max_samples:
        raise TooLarge(
            f"The sound has {frames:,} x {channels} = {frames * channels:,} samples or more; "
            f"at most {limits.max_samples:,} are decoded."
        )


def _mixed(block: Waveform) -> Waveform:
    """Return the mean of (frames, channels) over the channels."""
    channels = block.shape[1]
    # einsum, as the mean over so short an axis takes NumPy several times as long
    mixed: Waveform = np.einsum("fc,c->f", block, np.full(channels, 1 / channels, np.float32))
    return mixed


def _finite(block: Waveform) -> Iterator[Waveform]:
    """Yield the block if there is anything in it, all of it finite."""
    if not np.isfinite(block).all():
        raise InvalidAudio("The sound holds samples that are no finite numbers (NaN or infinite).")
    if len(block):
        yield block


def _no_sound() -> InvalidAudio:
    return InvalidAudio("The sound is empty: there is not one sample in it.")
