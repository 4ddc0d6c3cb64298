"""The shape of Triton's statistics, and how those of several processes are added up."""

from typing import Self

from pydantic import BaseModel


class Sums(BaseModel):
    """Figures that are added up field by field."""

    def __add__(self, other: Self) -> Self:
        fields = type(self).model_fields
        return self.model_copy(
            update={name: getattr(self, name) + getattr(other, name) for name in fields}
        )


class Duration(Sums):
    """How often, and nanoseconds in all."""

    count: int = 0
    ns: int = 0


class InferenceStats(Sums):
    """Where the time of items went: of pictures, of sounds, or of blocks of a tensor's rows.

    success: all of it, from the moment the bytes were there until the answer was.
    fail: of requests that were answered with an error.
    compute_input: decoding and resizing.
    compute_infer: of the whole batch that an item was in; fetching the outputs is part of it.
    """

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration = Duration()
    cache_miss: Duration = Duration()


class BatchStats(Sums):
    """The batches of one size; count is how many of them were run."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration

    def __add__(self, other: Self) -> Self:
        return super().__add__(other).model_copy(update={"batch_size": self.batch_size})


class ModelStats(BaseModel):
    """One version, since it was loaded.

    last_inference: milliseconds since 1970, 0 if there was none.
    inference_count: items that were run, each row of a tensor as one.
    execution_count: batches that were run.
    """

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStats
    batch_stats: list[BatchStats]

    def __add__(self, other: Self) -> Self:
        sizes = {batch.batch_size: batch for batch in self.batch_stats}
        for batch in other.batch_stats:
            known = sizes.get(batch.batch_size)
            sizes[batch.batch_size] = known + batch if known else batch
        return self.model_copy(
            update={
                "last_inference": max(self.last_inference, other.last_inference),
                "inference_count": self.inference_count + other.inference_count,
                "execution_count": self.execution_count + other.execution_count,
                "inference_stats": self.inference_stats + other.inference_stats,
                "batch_stats": [sizes[size] for size in sorted(sizes)],
            }
        )


class Statistics(BaseModel):
    """The versions that are ready, by name, lowest first."""

    model_stats: list[ModelStats]
