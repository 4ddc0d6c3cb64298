"""Whether this process may be given more to do."""


class Condition:
    """What stands between this process and new requests, apart from its models."""

    def __init__(self) -> None:
        self._draining = False
        self._fault: str | None = None

    def drain(self) -> None:
        """Finish what was accepted and ask for no more: the process is about to end."""
        self._draining = True

    def latch(self, fault: str) -> None:
        """Note that the device broke; only a new process can use it again."""
        self._fault = self._fault or fault

    @property
    def draining(self) -> bool:
        """Whether the process is about to end."""
        return self._draining

    @property
    def obstacle(self) -> str | None:
        """Why nothing new should be sent here, or None."""
        if self._fault:
            return f"{self._fault} This process must be restarted."
        return "The server is shutting down." if self._draining else None
