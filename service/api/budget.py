"""How many bytes of request bodies are held at once, by all requests together."""

from service.contract.errors import Overloaded


class ByteBudget:
    """Room for so many bytes. Belongs to one event loop."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0

    def share(self) -> "Share":
        """Return the share of one more request, which is nothing yet."""
        return Share(self)


class Share:
    """What one request holds."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def check_room(self, count: int) -> None:
        """Raise Overloaded if so many bytes more have no room; who is alone always has it."""
        budget = self._budget
        if budget.held_bytes + count > budget.most_bytes and budget.held_bytes > self._bytes:
            raise Overloaded("The bodies of other requests take all the room there is.")

    def reserve(self, count: int) -> None:
        """Hold so many bytes more. Raises: as `check_room`."""
        self.check_room(count)
        self._budget.held_bytes += count
        self._bytes += count

    def release(self) -> None:
        """Hold nothing more; doing so twice does no harm."""
        self._budget.held_bytes -= self._bytes
        self._bytes = 0
