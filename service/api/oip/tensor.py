"""The values of one tensor: as JSON, as bytes, as an array.

Source: the Open Inference Protocol, version 2, and Triton's extension for binary tensor data.
"""

import struct
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InputError

BYTES = "BYTES"
FP16 = "FP16"
_LENGTH = struct.Struct("<I")
# Little-endian, as the bytes are on the wire.
DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(spelled)
    for name, spelled in {
        "BOOL": "?",
        "UINT8": "<u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "INT8": "<i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        FP16: "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
    }.items()
}
DATATYPES = (*DTYPES, BYTES)
# What JSON may have for each kind of number.
_KINDS: dict[str, set[type]] = {"b": {bool}, "u": {int}, "i": {int}, "f": {int, float}}


@dataclass(frozen=True)
class SentTensor:
    """One input as it came.

    data: values as JSON has them, nested or flat; or the bytes that came behind the JSON.
    base64: whether texts in JSON are bytes written so.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | memoryview = field(repr=False)
    base64: bool = False

    @property
    def count(self) -> int:
        """How many elements the shape has."""
        return prod(self.shape)

    def array(self) -> NDArray[Any]:
        """Return the values (shape), of any datatype but BYTES.

        Bytes are not copied, so that the array is as long-lived as the request, and read-only.
        Raises: InputError if there are not as many values as the shape has, or of another kind.
        """
        dtype = DTYPES[self.datatype]
        if isinstance(self.data, list):
            return self._from_json(self.data, dtype)
        expected = self.count * dtype.itemsize
        if len(self.data) != expected:
            raise self._wrong(f"needs {expected:,} bytes, not {len(self.data):,}")
        values = np.frombuffer(self.data, dtype)
        if self.datatype == "BOOL" and (values.view(np.uint8) > 1).any():
            raise self._wrong("takes bytes of 0 or 1")
        # behind JSON of any length, a number may lie across the border of two words
        return (values if values.flags.aligned else values.copy()).reshape(self.shape)

    def elements(self) -> list[bytes]:
        """Return the values of a tensor of BYTES, row by row.

        Behind the JSON each is its length, in four bytes of which the lowest comes first, and then
        itself; in the JSON it is a text in base64, since other texts hold no file.
        Raises: InputError if they are not as many as the shape has, or one ends too early.
        """
        if isinstance(self.data, list):
            found = [self._from_base64(text) for text in self._flat(self.data)]
        else:
            found = self._split(self.data)
        if len(found) != self.count:
            raise self._wrong(f"needs {self.count} elements, not {len(found)}")
        return found

    def _split(self, data: memoryview) -> list[bytes]:
        place = 0
        found: list[bytes] = []
        while place < len(data) and len(found) < self.count:
            begin = place + _LENGTH.size
            if begin > len(data):
                raise self._wrong("ends within the length of an element")
            (length,) = _LENGTH.unpack_from(data, place)
            place = begin + length
            if place > len(data):
                there = f"{len(data) - begin:,} are there"
                raise self._wrong(f"has an element of {length:,} bytes, of which {there}")
            found.append(bytes(data[begin:place]))
        if place < len(data):
            raise self._wrong(f"has more elements than {self.count}")
        return found

    def _from_base64(self, text: Any) -> bytes:
        if not self.base64 or not isinstance(text, str):
            raise self._wrong(
                "holds files, which JSON cannot: send them behind it, or as texts in base64 with "
                'the parameter "content_type": "base64"'
            )
        try:
            return b64decode(text, validate=True)
        except ValueError:
            raise self._wrong("has a text that is no base64") from None

    def _from_json(self, data: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        flat = self._flat(data)
        if len(flat) != self.count:
            raise self._wrong(f"needs {self.count:,} values, not {len(flat):,}")
        # looked at before NumPy is, which makes something of texts and of mixtures too
        if not set(map(type, flat)) <= _KINDS[dtype.kind]:
            raise self._wrong(f"has values that are no {self.datatype}")
        try:
            values = np.array(flat, np.float64 if dtype.kind == "f" else dtype)
        except OverflowError:
            raise self._wrong(f"has values that no {self.datatype} can hold") from None
        if dtype.kind == "f" and values.size and abs(values).max() > np.finfo(dtype).max:
            raise self._wrong(f"has values that no {self.datatype} can hold")
        return values.astype(dtype, copy=False).reshape(self.shape)

    def _flat(self, data: list[Any]) -> list[Any]:
        """Return nested lists as one; they may say less about the shape than it does, not else."""
        found = [len(data)]
        while data and set(map(type, data)) == {list}:
            lengths = set(map(len, data))
            if len(lengths) > 1:
                raise self._wrong("has lists of different lengths side by side")
            found += lengths
            data = list(chain.from_iterable(data))
        if len(found) > 1 and tuple(found) != self.shape and len(data) == self.count:
            raise self._wrong(f"says {list(self.shape)}, but its data are nested as {found}")
        return data

    def _wrong(self, what: str) -> InputError:
        return InputError(f"The input {self.name!r} of {self.datatype} {what}.")


def written(elements: Iterable[bytes]) -> bytes:
    """Return a tensor of BYTES as it goes behind the JSON."""
    return b"".join(part for e in elements for part in (_LENGTH.pack(len(e)), e))


@dataclass(frozen=True)
class GivenTensor:
    """One output. values: an array (shape), or row by row the texts of a tensor of BYTES."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: NDArray[Any] | list[str]
    binary: bool

    def __len__(self) -> int:
        """How many values there are."""
        return prod(self.shape)

    def described(self, content: bytes | memoryview | None) -> dict[str, Any]:
        """Return what the JSON says of it: with its values, in a flat list.

        content: the values as bytes, where they follow the JSON.
        """
        about = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}
        if content is not None:
            return {**about, "parameters": {"binary_data_size": len(content)}}
        flat = self.values if isinstance(self.values, list) else self.values.reshape(-1)
        return {**about, "data": flat}

    def content(self) -> memoryview | bytes:
        """Return the values as bytes, without a copy where there is none to make."""
        if isinstance(self.values, list):
            return written(text.encode() for text in self.values)
        values = np.ascontiguousarray(self.values, DTYPES[self.datatype])
        return values.data.cast("B")
