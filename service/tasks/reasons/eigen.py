"""Eigen-CAM: the pattern that most of the channels share, whatever the class."""

import numpy as np

from service.tasks.reasons.weighing import Maps, Weighed


def eigen_cam(maps: Maps) -> Weighed:
    """Return the maps (C, H, W) along their first principal component.

    That is the first right singular vector of the matrix (cells, C), about zero and not about the
    mean, as in the paper. A component has no sign: it is turned so that most of the map is above.
    Source: Muhammad and Yeasin, Eigen-CAM, IJCNN 2020.
    """
    cells = maps.reshape(len(maps), -1).T.astype(np.float64)  # (cells, C)
    if not np.isfinite(cells).all():
        return Weighed(np.full(maps.shape[1:], np.nan, np.float32))
    # of the two square matrices that have the same component, the smaller one
    if cells.shape[0] < cells.shape[1]:
        sizes, vectors = np.linalg.eigh(cells @ cells.T)
        along = vectors[:, -1] * np.sqrt(max(0.0, sizes[-1]))
    else:
        along = cells @ np.linalg.eigh(cells.T @ cells)[1][:, -1]
    along = -along if along.sum() < 0 else along
    return Weighed(along.reshape(maps.shape[1:]).astype(np.float32))
