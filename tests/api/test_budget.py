import pytest

from service.api.budget import ByteBudget
from service.contract.errors import Overloaded


def test_shares_have_room_together_or_not_at_all() -> None:
    """What one holds is missing for the other until it is released."""
    budget = ByteBudget(100)
    one, two = budget.share(), budget.share()
    one.reserve(60)
    two.reserve(40)
    with pytest.raises(Overloaded):
        two.reserve(1)
    one.release()
    two.reserve(60)
    assert budget.held_bytes == 100


def test_who_is_alone_always_has_room() -> None:
    """A body that is allowed must not be too large for ever because of the budget."""
    budget = ByteBudget(100)
    one = budget.share()
    one.reserve(90)
    one.reserve(90)
    with pytest.raises(Overloaded):
        budget.share().reserve(1)


def test_what_was_refused_is_not_held() -> None:
    """A refusal changes nothing, and releasing twice frees nothing twice."""
    budget = ByteBudget(100)
    one, two = budget.share(), budget.share()
    one.reserve(50)
    with pytest.raises(Overloaded):
        two.reserve(51)
    two.release()
    one.release()
    one.release()
    assert budget.held_bytes == 0
