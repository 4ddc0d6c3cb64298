"""Whether the pages of an Ogg file are all there, whole, and of one stream.

libsndfile reads what there is of a file cut short, leaves out damaged pages, and of several
streams that follow each other reads the first; it tells nothing of it.
"""

import zlib

from service.contract.errors import InvalidAudio

# RFC 3533, 6: a page's head, up to the number of its segments, whose lengths follow.
_HEAD_BYTES = 27
_FLAGS_AT, _SERIAL_AT, _CHECKSUM_AT = 5, 14, 22
_BEGINS, _ENDS = 2, 4
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# What may lie behind the page that is marked as the last: small tags.
_TAIL_BYTES = 4096


def check_pages(data: bytes, start: int) -> None:
    """Raise InvalidAudio for pages that are cut, broken, or of more than one stream.

    start: where the first page begins in the data. A file that is cut exactly between two
        pages is known by nothing but the mark of the last page, which recordings of live
        streams lack as well: it is accepted.
    """
    at, flags = start, 0
    while data.startswith(b"OggS", at):
        page, at = at, _page_end(data, at)
        if at > len(data):
            raise InvalidAudio("The sound is cut short: its last page of Ogg is not all there.")
        if _checksum(data[page:at]) != data[page + _CHECKSUM_AT : page + _CHECKSUM_AT + 4]:
            raise InvalidAudio(f"The sound is broken: its page of Ogg at byte {page:,} is damaged.")
        flags = data[page + _FLAGS_AT]
        if page > start and (flags & _BEGINS or _serial(data, page) != _serial(data, start)):
            raise InvalidAudio(
                f"The Ogg file holds more than one stream (the next begins at byte {page:,}); "
                "send each by itself."
            )
    if len(data) - at > (_TAIL_BYTES if flags & _ENDS else 0):
        raise InvalidAudio(
            f"The sound is broken or cut short at byte {at:,}, where a page of Ogg should begin."
        )


def _serial(data: bytes, page: int) -> bytes:
    """Return the four bytes that all pages of one stream have in common."""
    return data[page + _SERIAL_AT : page + _SERIAL_AT + 4]


def _page_end(data: bytes, at: int) -> int:
    """Return where the page ends, past the data if it is cut."""
    lengths_at = at + _HEAD_BYTES
    if lengths_at > len(data):
        return len(data) + 1
    segments = data[lengths_at - 1]
    lengths = data[lengths_at : lengths_at + segments]
    return lengths_at + segments + sum(lengths)


def _checksum(page: bytes) -> bytes:
    """Return the four bytes that must stand in the head of a whole page.

    Ogg's polynomial is zlib's, with the bits of all bytes the other way round, and without
    turning zeros to ones before and after.
    """
    blank = page[:_CHECKSUM_AT] + bytes(4) + page[_CHECKSUM_AT + 4 :]
    crc = zlib.crc32(blank.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_REVERSED_BITS)
