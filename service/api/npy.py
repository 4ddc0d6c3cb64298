"""Arrays as NumPy's own files."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

NPY = "application/x-npy"


def write_npy(values: NDArray[Any]) -> bytes:
    """Return the array as an .npy file without pickles."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
