"""A data set of sounds of which something was measured."""

from dataclasses import dataclass

from training.data.pictures import DataSet
from training.data.sounds import Sounds


@dataclass(frozen=True)
class MeasuredSounds(DataSet[Sounds]):
    """Sounds whose labels are values, (N,) float64, above zero.

    classes: the one quantity that was measured. units: of it.
    """

    units: tuple[str, ...] = ()
