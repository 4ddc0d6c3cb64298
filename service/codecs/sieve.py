"""A mask without its specks."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # (H, W) class indices


def sieve(mask: Mask, min_area_px: int) -> Mask:
    """Return the mask with regions of fewer pixels given to the class of what lies nearest.

    Regions are connected by sides. Every pixel has a class afterwards too; if no region is large
    enough the mask is returned as it is.
    """
    if min_area_px <= 1:
        return mask
    import cv2  # here, because it takes 0.1 s that the start of a server need not wait for

    small = np.zeros(mask.shape, np.uint8)
    for class_index in np.flatnonzero(np.bincount(mask.reshape(-1))):
        of_class = (mask == class_index).view(np.uint8)
        _, regions, figures, _ = cv2.connectedComponentsWithStats(of_class, connectivity=4)
        too_small = figures[:, cv2.CC_STAT_AREA] < min_area_px
        too_small[0] = False  # what is not of the class
        small |= too_small[regions]
    if not small.any() or small.all():
        return mask
    # every pixel learns the number of the nearest one that is kept, and takes its class
    _, nearest = cv2.distanceTransformWithLabels(
        small, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    kept = small == 0
    class_of = np.zeros(int(nearest.max()) + 1, np.uint8)
    class_of[nearest[kept]] = mask[kept]
    return np.where(kept, mask, class_of[nearest])
