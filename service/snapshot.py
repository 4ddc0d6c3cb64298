"""What is known of all folders at one moment, as the catalog that answers."""

from collections.abc import Collection, Iterator

from service.holding import Holding
from service.policy import Policy
from service.tasks.catalog import BY_HAND, Catalog, Unloaded


def snapshot(
    holdings: Collection[Holding],
    policy: Policy,
    default: str | None,
    once_served: Collection[str],
) -> Catalog:
    """Return the catalog of what is served, refused and at rest.

    once_served: models of which a version was ready at some time.
    """
    return Catalog(
        [holding.served for holding in holdings if holding.served],
        [holding.refusal for holding in holdings if holding.refusal],
        default,
        list(_unloaded(holdings, policy)),
        list(_obstacles(holdings, policy, once_served)),
    )


def _unloaded(holdings: Collection[Holding], policy: Policy) -> Iterator[Unloaded]:
    for holding in holdings:
        if holding.version is not None and not holding.served and not holding.refusal:
            unwanted = f"is not wanted by the policy {policy.name!r}"
            reason = BY_HAND if holding.by_hand else unwanted
            yield Unloaded(holding.name, holding.version, reason)


def _obstacles(
    holdings: Collection[Holding], policy: Policy, once_served: Collection[str]
) -> Iterator[str]:
    """Say what keeps the server from being ready.

    What was refused when it started must stop a rollout. What is refused later must not:
    the server goes on as it did, and to take it away would make a failure of a bad push.
    """
    for holding in holdings:
        if holding.since_start and holding.refusal and _missed(holding, holdings, policy):
            yield f"{holding.refusal.file}: {holding.refusal.reason}"
    served = {holding.name for holding in holdings if holding.served}
    by_hand = {holding.name for holding in holdings if holding.by_hand}
    for name in sorted(set(once_served) - served - by_hand):
        yield f"{name}: none of its versions is ready any more"


def _missed(refused: Holding, holdings: Collection[Holding], policy: Policy) -> bool:
    """Return whether the refused version would be served if it were good."""
    if refused.version is None:
        return True
    hopeful = [
        holding.version
        for holding in holdings
        if holding.name == refused.name and holding.hopeful and holding.version is not None
    ]
    return refused.version in policy.wanted(refused.name, [*hopeful, refused.version])
