"""Where an operator may ask models to run."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
