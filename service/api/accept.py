"""Content negotiation (RFC 9110, 12.5.1)."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException


def choose_media_type(accept: str | None, offered: Sequence[str]) -> str:
    """Return the offered media type that the Accept header likes best; ties go to the first.

    Raises: HTTPException 406 if it likes none.

    >>> choose_media_type("application/json, */*;q=0.1", ["image/png", "application/json"])
    'application/json'
    """
    ranges = [_parse(part) for part in (accept or "*/*").split(",") if part.strip()]
    liking = [_quality(offer, ranges) for offer in offered]
    best = max(liking)
    if best <= 0:
        raise HTTPException(406, f"This can be had as {', '.join(offered)}.")
    return offered[liking.index(best)]


def _parse(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip() for piece in part.lower().split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_range, float(value)
            except ValueError:
                return media_range, 0.0
    return media_range, 1.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality that the most specific matching range gives."""
    by_range = dict(ranges)
    for media_range in (offer, offer.split("/")[0] + "/*", "*/*"):
        if media_range in by_range:
            return by_range[media_range]
    return 0.0
