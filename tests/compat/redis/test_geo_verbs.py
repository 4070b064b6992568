"""Places at the borders of what geo commands hold, endless shapes, scores that are not places, and options that come twice."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply

SYNTAX = ErrorReply("ERR syntax error")
MEMBERS = {
    "n": "0 85.05112878",
    "s": "0 -85.05112878",
    "e": "180 0",
    "w": "-180 0",
    "ne": "180 85.05112878",
    "sw": "-180 -85.05112878",
    "o": "0 0",
}


@pytest.fixture
def places(wire: Any) -> Any:
    for name, place in MEMBERS.items():
        assert wire.line(f"GEOADD g {place} {name}") == 1
    return wire


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("shape", ["BYRADIUS 0 m", "BYRADIUS 1 m", "BYRADIUS 1000 km", "BYBOX 1 1 m"])
def test_a_member_is_found_from_itself(places: Any, name: str, shape: str) -> None:
    assert name.encode() in places.line(f"GEOSEARCH g FROMMEMBER {name} {shape}")


@pytest.mark.parametrize(
    "shape", ["BYRADIUS inf m", "BYRADIUS 1e308 km", "BYBOX inf inf m", "BYBOX 1e308 1e308 km", "BYBOX 1e300 inf m"]
)
def test_shapes_without_end(places: Any, shape: str) -> None:
    # Those at the northern and eastern border have numbers beyond all cells, as in Redis.
    assert places.line(f"GEOSEARCH g FROMLONLAT 0 0 {shape}") == [b"o", b"s", b"w", b"sw"]


@pytest.mark.parametrize("score", ["inf", "-inf", "-5", "0.5", "1e18", "9.3e18", "1e19", "1e300", "-1e300"])
def test_scores_that_are_no_places(wire: Any, score: str) -> None:
    wire.line(f"ZADD z {score} a 0 b")
    longitude, latitude = map(float, wire.line("GEOPOS z a")[0])
    assert -180 <= longitude <= 180
    assert -85.06 < latitude < 85.06
    assert len(wire.line("GEOHASH z a")[0]) == 11
    assert float(wire.line("GEODIST z a b")) >= 0
    assert type(wire.line("GEOSEARCH z FROMMEMBER a BYRADIUS inf m WITHHASH WITHDIST WITHCOORD")) is list


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("FROMLONLAT 10 10 FROMLONLAT 0 0 BYRADIUS 1 m", [b"o"]),
        ("FROMMEMBER e FROMMEMBER o BYRADIUS 1 m", [b"o"]),
        ("BYRADIUS 9 m BYRADIUS 1 m FROMLONLAT 0 0", [b"o"]),
        ("BYBOX 9 9 m BYBOX 1 1 m FROMLONLAT 0 0", [b"o"]),
        ("FROMLONLAT 0 0 BYRADIUS 1 m COUNT 5 ANY ANY COUNT 1 ASC DESC", [b"o"]),
        ("FROMMEMBER o FROMLONLAT 0 0 BYRADIUS 1 m", SYNTAX),
        ("FROMLONLAT 0 0 FROMMEMBER o BYRADIUS 1 m", SYNTAX),
        ("FROMLONLAT 0 0 BYRADIUS 1 m BYBOX 1 1 m", SYNTAX),
        ("FROMLONLAT 0 0 BYBOX 1 1 m BYRADIUS 1 m", SYNTAX),
    ],
)
def test_options_that_come_twice(places: Any, line: str, reply: Any) -> None:
    assert places.line(f"GEOSEARCH g {line}") == reply


def test_a_missing_key_has_no_radius_to_look_at(wire: Any) -> None:
    assert wire.line("GEORADIUSBYMEMBER nokey m x parsec") == []
    assert wire.line("GEORADIUSBYMEMBER nokey m x parsec FOO") == SYNTAX
