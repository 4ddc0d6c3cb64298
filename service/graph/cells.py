"""What the cells along one axis see of the network's input, each of them exactly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, lcm

# Cells that a new cell reads: the first and the last one.
Sources = Callable[[int], tuple[int, int]]
_LONGEST_PATTERN = 4096  # a net that makes its input larger than this is none that we know


@dataclass(frozen=True)
class Cells:
    """The stretch of the input that each cell sees, in pixels; 0 is the first pixel's edge.

    Behind convolutions and poolings every cell sees what its neighbour does, some pixels further
    on. Behind an upsampling only every second, fourth ... cell does, because those between share
    what they see: the pattern then has as many cells.
    begins, ends: of the first cells, one for each of the pattern.
    period: pixels that the pattern moves on each time it repeats.
    """

    begins: tuple[float, ...] = (0,)
    ends: tuple[float, ...] = (1,)
    period: float = 1

    @property
    def size(self) -> float:
        """The receptive field: the most that one cell sees."""
        return max(end - begin for begin, end in zip(self.begins, self.ends, strict=True))

    @property
    def jump(self) -> float:
        """The distance between the centres of neighbouring cells."""
        return self.period / len(self.begins)

    @property
    def start(self) -> float:
        """The centre of the first cell; the first pixel's centre is 0.5."""
        middle = (sum(self.begins) + sum(self.ends)) / (2 * len(self.begins))
        return middle - (len(self.begins) - 1) / 2 * self.jump

    def begin(self, cell: int) -> float:
        """Return where the stretch of that cell begins, which may be before the first one."""
        turns, place = divmod(cell, len(self.begins))
        return self.begins[place] + turns * self.period

    def end(self, cell: int) -> float:
        """Return where the stretch of that cell ends."""
        turns, place = divmod(cell, len(self.ends))
        return self.ends[place] + turns * self.period

    def read_by(self, sources: Sources, every: int = 1, advance: int = 1) -> "Cells | None":
        """Return what new cells see, each of which reads a row of these; None if too intricate.

        sources: the first and the last cell that a new cell reads, by its number.
        every, advance: so many new cells later, what is read lies so many cells further on.

        >>> Cells().read_by(lambda cell: (2 * cell - 1, 2 * cell + 1), advance=2)  # 3, stride 2
        Cells(begins=(-1,), ends=(2,), period=2.0)
        """
        turns = len(self.begins) // gcd(len(self.begins), advance)
        if every * turns > _LONGEST_PATTERN:
            return None
        rows = [sources(cell) for cell in range(every * turns)]
        return _shortest(
            [self.begin(first) for first, _ in rows],
            [self.end(last) for _, last in rows],
            self.period * (turns * advance // len(self.begins)),
        )

    def at_least(self, size: float) -> "Cells":
        """Return cells that see no less than so many pixels, evenly to both sides."""
        missing = [
            max(0, size - (end - begin)) / 2
            for begin, end in zip(self.begins, self.ends, strict=True)
        ]
        begins = [begin - more for begin, more in zip(self.begins, missing, strict=True)]
        ends = [end + more for end, more in zip(self.ends, missing, strict=True)]
        return Cells(tuple(begins), tuple(ends), self.period)


def join(branches: Sequence[Cells]) -> Cells:
    """Return what cells see where branches meet: from the first pixel of any to the last.

    Branches whose cells lie at other distances than those of the one that sees most count by
    their size alone.

    >>> join([Cells((-3,), (4,), 4), Cells((-5,), (6,), 4)])
    Cells(begins=(-5.0,), ends=(6.0,), period=4.0)
    """
    largest = max(branches, key=lambda cells: cells.size)
    alike = [cells for cells in branches if cells.jump == largest.jump]
    count = lcm(*(len(cells.begins) for cells in alike))
    joined = _shortest(
        [min(cells.begin(i) for cells in alike) for i in range(count)],
        [max(cells.end(i) for cells in alike) for i in range(count)],
        largest.jump * count,
    )
    others = (cells.size for cells in branches if cells.jump != largest.jump)
    return joined.at_least(max(others, default=0))


def _shortest(begins: list[float], ends: list[float], period: float) -> Cells:
    """Return the cells with the shortest pattern that gives them."""
    count = len(begins)
    for length in range(1, count + 1):
        if count % length == 0:
            cells = Cells(tuple(begins[:length]), tuple(ends[:length]), period * length / count)
            same = all(cells.begin(i) == begins[i] for i in range(count))
            if same and all(cells.end(i) == ends[i] for i in range(count)):
                break
    return cells
