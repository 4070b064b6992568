"""Which of some members lie inside a shape. The compiled implementation (``near.pyx``) does the arithmetic of ``geohash.py`` in C."""

from __future__ import annotations

from collections.abc import Callable

from .geohash import Place, Shape

# Members, their scores, and their distances from the centre in metres: three lists side by side.
Near = tuple[list[bytes], list[float], list[float]]


def inside(
    shape: Shape, members: list[bytes], scores: list[float], place_of: Callable[[float], Place], most: int
) -> Near:
    """The members that are inside a shape, in their order; at most ``most`` (0: all).

    ``place_of`` gives the position of a score.
    """
    found: Near = ([], [], [])
    for member, score in zip(members, scores, strict=True):
        metres = shape.distance(place_of(score))
        if metres is not None:
            found[0].append(member)
            found[1].append(score)
            found[2].append(metres)
            if len(found[0]) == most:
                break
    return found
