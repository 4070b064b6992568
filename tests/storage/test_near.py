"""The compiled search for places finds what the geometry says, to the last bit."""

from __future__ import annotations

import random

import pytest

from januskv.storage.geohash import MOST_LATITUDE, Place, Shape, decode, encode
from januskv.storage.near import inside


def place_of(score: float) -> Place:
    return decode(int(score))


@pytest.mark.parametrize("seed", range(8))
def test_against_the_geometry(seed: int) -> None:
    chance = random.Random(seed)

    def somewhere(near: Place | None = None) -> Place:
        if near is None:
            return Place(chance.uniform(-180, 180), chance.uniform(-MOST_LATITUDE, MOST_LATITUDE))
        return Place(
            max(min(near.longitude + chance.gauss(0, 1), 180), -180),
            max(min(near.latitude + chance.gauss(0, 1), MOST_LATITUDE), -MOST_LATITUDE),
        )

    centre = decode(encode(somewhere()))
    places = [somewhere(centre if chance.random() < 0.7 else None) for _ in range(500)]
    scores = [float(encode(place)) for place in places] + [float(encode(centre)), 0.0, float((1 << 52) - 1), 2.0**53]
    members = [b"%d" % number for number in range(len(scores))]
    for shape in (
        Shape(centre, chance.uniform(0, 300_000)),
        Shape(centre, 0.0),
        Shape(centre, 2e7),
        Shape(centre, None, chance.uniform(0, 300_000), chance.uniform(0, 300_000)),
        Shape(centre, None, 0.0, 5e6),
    ):
        distances = [shape.distance(place_of(score)) for score in scores]
        hits = [at for at, metres in enumerate(distances) if metres is not None]
        found = inside(shape, members, scores, place_of, 0)
        assert found == ([members[at] for at in hits], [scores[at] for at in hits], [distances[at] for at in hits])
        assert inside(shape, members, scores, place_of, 3)[0] == found[0][:3]
    assert inside(shape, [], [], place_of, 0) == ([], [], [])
