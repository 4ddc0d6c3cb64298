"""The ways in which the bare loop is run; the best of them is the limit."""

from dataclasses import dataclass

from service.cpus import available_cpus

BATCH = 8


@dataclass(frozen=True)
class Variant:
    """How the bare loop calls.

    callers: threads that call one session. threads: of one run.
    spinning: whether idle threads burn processor time so as to be quick.
    """

    name: str
    callers: int
    threads: int
    spinning: bool = True
    batch: int = 1

    @property
    def arguments(self) -> list[str]:
        """For the command line of bench.serving.bare."""
        numbers = {"callers": self.callers, "threads": self.threads, "batch": self.batch}
        flags = [f"--{name}={number}" for name, number in numbers.items()]
        return flags if self.spinning else [*flags, "--no-spinning"]


_CPUS = available_cpus()
# One run a processor: the variant whose processor time a request's overhead is counted from.
PLAIN = Variant(f"{_CPUS} callers, 1 thread each", callers=_CPUS, threads=1)
VARIANTS = (
    PLAIN,
    Variant(f"1 caller, {_CPUS} threads, spinning", callers=1, threads=_CPUS),
    Variant(f"1 caller, {_CPUS} threads, not spinning", callers=1, threads=_CPUS, spinning=False),
    Variant(f"{_CPUS} callers, batches of {BATCH}", callers=_CPUS, threads=1, batch=BATCH),
)
