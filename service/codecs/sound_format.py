"""Tell by the first bytes which kind of sound a file holds, if any."""

from service.codecs.sound_mpeg import begins_like_mp3

FORMATS = ("WAV", "AIFF", "FLAC", "Vorbis", "Opus", "MP3")
_ID3_HEAD_BYTES = 10
# A page of Ogg begins with 27 bytes and, as the first of its stream, one length.
# RFC 3533, 6; what follows is the codec's own name.
_OGG_CODEC_AT = 28
_OGG_CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus"}


def sniff(data: bytes) -> tuple[str, int] | None:
    """Return one of FORMATS and where it begins, behind what ID3 tags there are, in bytes.

    data: a whole file, or its first 4 KB at least. An ID3 tag that does not end within them
        is taken for MP3's, which nearly all are.
    Returns: None for what is no sound, or is in no format that is read here.
    """
    start = tag_end(data)
    if start and start >= len(data):
        return "MP3", start
    head = data[start : start + 40]
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "WAV", start
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF", start
    if head[:4] == b"fLaC":
        return "FLAC", start
    if head[:4] == b"OggS":
        named = [
            _OGG_CODECS[codec] for codec in _OGG_CODECS if head.startswith(codec, _OGG_CODEC_AT)
        ]
        return (named[0], start) if named else None
    return ("MP3", start) if begins_like_mp3(data, start) else None


def tag_end(data: bytes, start: int = 0) -> int:
    """Return where the ID3 version 2 tags end that begin there, which may be past the data.

    Source: id3.org, ID3 tag version 2.4.0, 3.1: four bytes of seven bits hold the size.
    """
    while True:
        head = data[start : start + _ID3_HEAD_BYTES]
        known = head[:3] == b"ID3" and len(head) == _ID3_HEAD_BYTES and head[3] in (2, 3, 4)
        if not known or max(head[6:]) > 127:
            return start
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        footer = _ID3_HEAD_BYTES if head[5] & 0x10 else 0
        start += _ID3_HEAD_BYTES + size + footer
