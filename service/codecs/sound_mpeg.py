"""MP3, frame by frame: how many there are, and whether all that was promised is there.

mpg123, with which libsndfile decodes MP3, guesses the length of a file that does not say it
from the size of the first frame, and libsndfile then stops at that guess, which may be a
quarter of the way. It also skips junk and stops at a change of format without a word. So the
frames are counted here, and mpg123 is told how many there are in the way that encoders do.
"""

import struct
from dataclasses import dataclass

from service.codecs.sound_cut import cut_short
from service.contract.errors import InvalidAudio

# ISO/IEC 11172-3 (MPEG-1) and 13818-3 (MPEG-2, of half the rates), layer III, in kbit/s.
_KBITS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG1, _MONO = 3, 3
# What may lie behind the last frame: half a frame (1441 bytes at most), or small tags.
_TAIL_BYTES = 4096
# Encoders disagree on whether the head counts itself, and on the last frame.
_MISCOUNTED = 2
_GAPS_BYTES = 24
# What is counted past the limit, since so much may be taken away: twice 4095 samples of 576.
_MOST_GAP_FRAMES = 16
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")


@dataclass(frozen=True)
class Frame:
    """What the four bytes say with which a frame begins."""

    size_bytes: int
    samples: int
    sample_rate_hz: int
    channels: int
    side_bytes: int

    @property
    def duration_s(self) -> float:
        """Return how long it sounds."""
        return self.samples / self.sample_rate_hz

    @property
    def kind(self) -> tuple[int, int]:
        """Return what must not change from frame to frame."""
        return self.sample_rate_hz, self.channels


def frame_at(data: bytes, start: int) -> Frame | None:
    """Return the head of a layer III frame, or None if there is none that could be right.

    The free bit rate is not read: the size of its frames cannot be known.
    """
    head = data[start : start + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # sync and layer III
        return None
    version, rate, emphasis = head[1] >> 3 & 3, head[2] >> 2 & 3, head[3] & 3
    bits = head[2] >> 4
    if version not in _RATES_HZ or rate == 3 or bits in (0, 15) or emphasis == 2:
        return None
    mpeg1, mono = version == _MPEG1, head[3] >> 6 == _MONO
    kbits = (_KBITS_MPEG1 if mpeg1 else _KBITS_MPEG2)[bits]
    samples = 1152 if mpeg1 else 576
    hz = _RATES_HZ[version][rate]
    size = samples // 8 * kbits * 1000 // hz + (head[2] >> 1 & 1)
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    # libmpg123 complains of frames that are too small for what each must hold
    return Frame(size, samples, hz, 1 if mono else 2, side) if size >= 4 + side + 2 else None


def begins_like_mp3(data: bytes, start: int) -> bool:
    """Tell whether two frames of one kind follow each other there.

    One alone proves little: text in UTF-16 begins with eleven set bits too.
    """
    first = frame_at(data, start)
    second = first and frame_at(data, start + first.size_bytes)
    return bool(first and second and first.kind == second.kind)


def mp3_pieces(data: bytes, start: int, max_seconds: float) -> tuple[bytes | memoryview, ...]:
    """Return the file that mpg123 is to read: a head that tells the length, and the frames.

    start: where the first frame begins, in bytes.
    max_seconds: counting stops soon behind it; the length is too large then anyway.
    Raises: InvalidAudio if frames are missing that the head of the file promises, or if
        anything but frames lies between frames. Of a file without such a head nobody can
        tell whether its end is missing; half a frame there is left out.
    """
    first = frame_at(data, start)
    if first is None or start + first.size_bytes > len(data):
        raise InvalidAudio("The sound begins like MP3 but is broken or cut short.")
    xing = _xing(data[start : start + first.size_bytes], first)
    begin = start + first.size_bytes if xing else start
    count, end = _count(data, begin, first, max_seconds)
    _check_tail(data, end, first)
    if xing and xing.frames - count > _MISCOUNTED and count * first.duration_s <= max_seconds:
        raise cut_short(xing.frames * first.duration_s, count * first.duration_s)
    gaps = xing.gaps if xing and xing.gap_samples < count * first.samples else b""
    head = _head(data[start : start + 4], first, count, gaps)
    return head, memoryview(data)[begin:end]


@dataclass(frozen=True)
class _Xing:
    """What the head of a file tells: the frames behind it, and what encoders added to them.

    gaps: the part of it that names the samples added in front and behind, or nothing.
    """

    frames: int
    gaps: bytes

    @property
    def gap_samples(self) -> int:
        """Return how many samples of silence the encoder added, by twelve bits each."""
        both = int.from_bytes(self.gaps[21:24], "big")
        return (both >> 12) + (both & 0xFFF)


def _xing(frame: bytes, first: Frame) -> _Xing | None:
    """Return what the first frame tells, if it is no sound but such a head.

    Source: Xing's header and LAME's addition, gabriel.mp3-tech.org/mp3infotag.html.
    """
    at = 4 + first.side_bytes
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        at += 2  # some write it behind a checksum
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    if frame[at : at + 4] not in (b"Xing", b"Info") or not flags & 1 or len(frame) < at + 12:
        return None
    frames = int.from_bytes(frame[at + 8 : at + 12], "big")
    gaps_at = at + 12 + (4 if flags & 2 else 0) + (100 if flags & 4 else 0) + flags // 8 % 2 * 4
    gaps = frame[gaps_at : gaps_at + _GAPS_BYTES]
    return _Xing(frames, gaps if len(gaps) == _GAPS_BYTES and gaps[0] else b"")


def _count(data: bytes, begin: int, first: Frame, max_seconds: float) -> tuple[int, int]:
    """Return how many frames of that kind follow each other, and where they end."""
    most = max_seconds / first.duration_s + _MOST_GAP_FRAMES
    known: dict[bytes, Frame | None] = {}
    count, at = 0, begin
    while count <= most:
        head = data[at : at + 4]
        if head not in known:
            known[head] = frame_at(data, at)
        frame = known[head]
        if frame is None or frame.kind != first.kind or at + frame.size_bytes > len(data):
            break
        at += frame.size_bytes
        count += 1
    return count, at


def _check_tail(data: bytes, end: int, first: Frame) -> None:
    """Refuse to leave out what may be sound."""
    rest = len(data) - end
    frame = frame_at(data, end)
    if frame is not None and frame.size_bytes <= rest:
        if frame.kind == first.kind:
            return  # counting stopped at the limit
        raise InvalidAudio(
            f"The MP3 changes from {first.sample_rate_hz} Hz and {first.channels} channels "
            f"to {frame.sample_rate_hz} Hz and {frame.channels} at byte {end:,}."
        )
    if rest > _TAIL_BYTES and not data.startswith(_TAGS, end) and data.count(0, end) < rest:
        raise InvalidAudio(
            f"The MP3 is broken at byte {end:,}: no frame begins there, "
            f"and {rest:,} bytes are left."
        )


def _head(begin: bytes, first: Frame, count: int, gaps: bytes) -> bytes:
    """Return a frame of silence that tells how many frames follow."""
    sync, version, rate, mode = begin
    # no checksum, no padding, and the highest bit rate, since the first frame may be too small
    begin = bytes((sync, version | 1, 14 << 4 | rate & 0x0C, mode))
    frame = frame_at(begin, 0) or first
    said = b"Xing" + struct.pack(">II", 1, count) + gaps
    return (begin + bytes(first.side_bytes) + said).ljust(frame.size_bytes, b"\0")
