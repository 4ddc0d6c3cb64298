import inspect
from time import perf_counter

from service.contract import errors
from service.contract.errors import ConvscopeError, UnknownLayer, UnknownModel, nearest_names


def test_the_drawn_tree_is_the_real_one() -> None:
    """The tree at the head of the module lists every error, each below its base."""
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "──" in line]
    stack, found = ["ConvscopeError"], set()
    for line in drawn:
        before, _, rest = line.partition("── ")
        depth = len(before) // 4 + 1
        name = rest.split()[0]
        stack[depth:] = [name]
        assert getattr(errors, name).__base__.__name__ == stack[depth - 1]
        found.add(name)
    defined = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, ConvscopeError) and kind is not ConvscopeError
    }
    assert found == defined


def test_unknown_name_brings_the_nearest() -> None:
    """The message asks about the names that it may have been."""
    error = UnknownModel("cifar", ["digits", "cifar10"])
    assert error.nearest == ("cifar10",)
    assert str(error) == "There is no model 'cifar'. Did you mean 'cifar10'?"


def test_monstrous_name_costs_little() -> None:
    """A name of a megabyte is answered at once and not repeated in full."""
    started = perf_counter()
    error = UnknownLayer("x" * 1_000_000, [f"layer{i}/Conv" for i in range(300)])
    assert perf_counter() - started < 1
    assert len(str(error)) < 1000


def test_containing_names_come_before_similar_ones() -> None:
    """Who types a part of a path wants that path."""
    assert nearest_names("conv1", ["conf", "a.conv1/Conv"]) == ["a.conv1/Conv", "conf"]
