"""What can be wrong with a path."""


class PathError(Exception):
    """A path that cannot be read; ``position`` is the index of the first character that is wrong."""

    def __init__(self, reason: str, position: int = 0) -> None:
        super().__init__(f"{reason} at {position}")
        self.reason = reason
        self.position = position


class PathTooCostly(PathError):
    """Evaluating the path would visit more elements than are allowed."""

    def __init__(self) -> None:
        super().__init__("the path visits too many elements")
