"""Which paths were met before, in some sixteen bytes each, however long they are."""

import os
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_DIGEST_BYTES = 16
_DIGEST = np.dtype([("high", "<u8"), ("low", "<u8")])
# A Python set takes some hundred bytes for each: it holds only the newest.
_NEWEST = 65_536
_SHARE_OF_NEWEST = 8


class Seen:
    """A set of paths that only grows. It would mix up two only if they shared 128 bits."""

    def __init__(self) -> None:
        self._newest: set[bytes] = set()
        self._older = np.empty(0, _DIGEST)  # sorted by `high`

    def __len__(self) -> int:
        return len(self._newest) + len(self._older)

    def add(self, path: str) -> bool:
        """Return whether the path is new; from now on it is not."""
        digest = blake2b(os.fsencode(path), digest_size=_DIGEST_BYTES).digest()
        if digest in self._newest or (len(self._older) and self._is_older(digest)):
            return False
        self._newest.add(digest)
        if len(self._newest) >= max(_NEWEST, len(self._older) // _SHARE_OF_NEWEST):
            self._merge()
        return True

    def _is_older(self, digest: bytes) -> bool:
        (wanted,) = np.frombuffer(digest, _DIGEST)
        highs: NDArray[np.uint64] = self._older["high"]
        first = highs.searchsorted(wanted["high"])
        end = highs.searchsorted(wanted["high"], "right")
        return bool((self._older["low"][first:end] == wanted["low"]).any())

    def _merge(self) -> None:
        newest = np.frombuffer(b"".join(self._newest), _DIGEST)
        together = np.concatenate([self._older, newest])
        self._older = together[together["high"].argsort()]
        self._newest.clear()
