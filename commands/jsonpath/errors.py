"""What can be wrong with a path."""


class PathError(Exception):
    """A path that cannot be read; ``position`` is the index of the character where reading stopped."""

    def __init__(self, reason: str, position: int = 0) -> None:
        super().__init__(f"{reason} at {position}")
        self.reason = reason
        self.position = position


class PathTooCostly(PathError):
    """Evaluating the path would take more work than its budget allows."""

    def __init__(self) -> None:
        super().__init__("the path takes too much work")


class Inapplicable(Exception):
    """A function was given what it does not take: the filter around it does not hold. Stays inside this package."""
