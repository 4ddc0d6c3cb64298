import pytest
from starlette.exceptions import HTTPException

from service.api.accept import choose_media_type

OFFERED = ("image/png", "application/x-npy", "application/json")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "image/png"),
        ("", "image/png"),
        ("*/*", "image/png"),
        ("text/html,application/xhtml+xml,image/avif,*/*;q=0.8", "image/png"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON; charset=utf-8", "application/json"),
        ("application/*", "application/x-npy"),
        ("image/png;q=0.1, application/json;q=0.2", "application/json"),
        ("*/*;q=0.1, image/png;q=0", "application/x-npy"),
    ],
)
def test_best_liked_form_is_chosen(accept: str | None, chosen: str) -> None:
    """The highest quality wins, the most specific range decides, ties go to the first."""
    assert choose_media_type(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "image/png;q=x"])
def test_nothing_acceptable_is_406(accept: str) -> None:
    """Nobody is given what they did not ask for."""
    with pytest.raises(HTTPException, match="406"):
        choose_media_type(accept, OFFERED)
