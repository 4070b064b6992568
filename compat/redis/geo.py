"""Geo commands: sorted sets whose scores encode positions on the earth."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from januskv.commands.context import Context
from januskv.commands.declare import Flag, KeySpec, key
from januskv.commands.table import Family
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, Reply, SpeltDouble
from januskv.resp.slices import items_reply
from januskv.storage.geohash import (
    MOST_LATITUDE,
    MOST_LONGITUDE,
    Place,
    Shape,
    decode,
    distance_m,
    encode,
    number_of,
    text_of_place,
)
from januskv.storage.near import inside
from januskv.storage.sorted_sets import SortedSet, as_sorted_set, places_in_order, put_result

from .args import SYNTAX_ERROR, Args
from .sorted_sets import read_sorted_set, zadd

verbs = Family("geo")

_WRITE = Flag.WRITE | Flag.DENYOOM
_ACCESS = key("RO", "access")
_UNITS = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_NOT_A_FLOAT = "ERR value is not a valid float"


def unit_of(text: bytes) -> float:
    """The metres of a unit. Raises RespError."""
    metres = _UNITS.get(text.upper())
    if metres is None:
        raise RespError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return metres


def take_place(args: Args) -> Place:
    """Longitude and latitude. Raises RespError."""
    place = Place(args.number(_NOT_A_FLOAT), args.number(_NOT_A_FLOAT))
    if abs(place.longitude) > MOST_LONGITUDE or abs(place.latitude) > MOST_LATITUDE:
        raise RespError(f"ERR invalid longitude,latitude pair {place.longitude:f},{place.latitude:f}")
    return place


def coordinate(degrees: float) -> Reply:
    """A coordinate with up to 17 decimals."""
    return SpeltDouble(format(Decimal(degrees), ".17f").rstrip("0").rstrip(".").encode())


def coordinates(place: Place) -> Reply:
    """Longitude and latitude as a reply."""
    return [coordinate(place.longitude), coordinate(place.latitude)]


def place_at(sorted_set: SortedSet | None, member: bytes) -> Place | None:
    """The position of a member; None if it is missing."""
    score = None if sorted_set is None else sorted_set.score(member)
    return None if score is None else decode(number_of(score))


@verbs.verb("GEOADD", arity=-5, flags=_WRITE, keys=key("RW", "update"), since="3.2.0")
def geoadd(ctx: Context, argv: list[bytes]) -> Reply:
    """GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]

    Adds members to a geospatial index, or moves them; returns how many are new, or with CH how many changed.

    Cost: O(log(N)) each with N members
    """
    args = Args(argv, 2)
    words = []
    while args.peek() in (b"NX", b"XX", b"CH"):
        words.append(args.word())
    if args.left() % 3 or not args.left() or (b"NX" in words and b"XX" in words):
        raise RespError(SYNTAX_ERROR)
    line = [b"ZADD", argv[1], *words]
    while args.more():
        line += [b"%d" % encode(take_place(args)), args.take()]
    reply: Reply = zadd(ctx, line)  # type: ignore[assignment]
    return reply


@verbs.verb("GEOPOS", arity=-2, flags=Flag.READONLY, keys=_ACCESS, since="3.2.0")
def geopos(ctx: Context, argv: list[bytes]) -> Reply:
    """GEOPOS key [member [member ...]]

    Returns the longitude and latitude of members, null for missing ones.

    Cost: O(N) with N members asked for
    """
    sorted_set = read_sorted_set(ctx, argv[1])
    places = [place_at(sorted_set, member) for member in argv[2:]]
    return [NULL_ARRAY if place is None else coordinates(place) for place in places]


@verbs.verb("GEOHASH", arity=-2, flags=Flag.READONLY, keys=_ACCESS, since="3.2.0")
def geohash(ctx: Context, argv: list[bytes]) -> Reply:
    """GEOHASH key [member [member ...]]

    Returns the standard geohash of members, null for missing ones.

    Cost: O(N) with N members asked for
    """
    sorted_set = read_sorted_set(ctx, argv[1])
    places = [place_at(sorted_set, member) for member in argv[2:]]
    return [None if place is None else text_of_place(place) for place in places]


def distance_text(metres: float, unit: float) -> bytes:
    """A distance with four decimals."""
    return b"%.4f" % (metres / unit)


@verbs.verb("GEODIST", arity=-4, flags=Flag.READONLY, keys=_ACCESS, since="3.2.0")
def geodist(ctx: Context, argv: list[bytes]) -> Reply:
    """GEODIST key member1 member2 [M | KM | FT | MI]

    Returns the distance between two members, null if one is missing.

    Cost: O(1)
    """
    unit = 1.0
    if len(argv) == 5:
        unit = unit_of(argv[4])
    elif len(argv) > 5:
        raise RespError(SYNTAX_ERROR)
    sorted_set = read_sorted_set(ctx, argv[1])
    one, other = place_at(sorted_set, argv[2]), place_at(sorted_set, argv[3])
    return None if one is None or other is None else distance_text(distance_m(one, other), unit)


# ---------------------------------------------------------------- searching


class Hit(NamedTuple):
    """A member inside the shape."""

    metres: float
    member: bytes
    score: float


class _Search:
    """The arguments of a search. ``verb`` is for error texts; the GEORADIUS family sets its positional arguments itself."""

    __slots__ = (
        "any_order",
        "centre",
        "count",
        "descending",
        "shape",
        "sorts",
        "store",
        "store_distance",
        "unit",
        "verb",
        "with_parts",
    )

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.centre: Place | None = None
        self.shape: Shape | None = None
        self.unit = 1.0
        self.with_parts: set[bytes] = set()
        self.count = 0
        self.any_order = self.sorts = self.descending = self.store_distance = False
        self.store: bytes | None = None

    def take_centre(self, sorted_set: SortedSet | None, member: bytes) -> None:
        """Search around a member. Raises RespError if the key has no such member."""
        self.centre = place_at(sorted_set, member)
        if self.centre is None and sorted_set is not None:
            raise RespError("ERR could not decode requested zset member")

    def take_radius(self, args: Args) -> tuple[float, float]:
        """Radius in metres, and the unit that it is in."""
        radius = args.number("ERR need numeric radius")
        if radius < 0:
            raise RespError("ERR radius cannot be negative")
        self.unit = unit_of(args.take())
        return radius * self.unit, self.unit

    def take_box(self, args: Args) -> tuple[float, float]:
        """Width and height in metres."""
        width = args.number("ERR need numeric width")
        height = args.number("ERR need numeric height")
        if width < 0 or height < 0:
            raise RespError("ERR height or width cannot be negative")
        self.unit = unit_of(args.take())
        return width * self.unit, height * self.unit

    def take_common(self, args: Args, word: bytes) -> bool:
        """Take an option that all searches share; False for another word. Raises RespError."""
        if word in (b"WITHDIST", b"WITHHASH", b"WITHCOORD"):
            self.with_parts.add(word)
        elif word == b"ANY":
            self.any_order = True
        elif word in (b"ASC", b"DESC"):
            self.sorts, self.descending = True, word == b"DESC"
        elif word == b"COUNT" and args.more():
            self.count = args.integer()
            if self.count <= 0:
                raise RespError("ERR COUNT must be > 0")
        else:
            return False
        return True

    def check(self, stores: str | None) -> None:
        """Refuse contradictory options. Raises RespError."""
        if stores is not None and self.with_parts:
            raise RespError(f"ERR {stores} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        if self.any_order and not self.count:
            raise RespError("ERR the ANY argument requires COUNT argument")
        if self.count and not self.sorts and not self.any_order:
            self.sorts = True

    def hits(self, sorted_set: SortedSet) -> list[Hit]:
        """The members inside the shape, in the requested order."""
        assert self.shape is not None
        members: list[bytes] = []
        scores: list[float] = []
        distances: list[float] = []
        wanted = self.count if self.any_order else 0
        for low, end in self.shape.cells():
            ranks = sorted_set.ranks_by_score(low, end, False, True)
            most = wanted - len(members) if wanted else 0
            near = inside(
                self.shape,
                sorted_set.names(*ranks),
                sorted_set.values(*ranks),
                lambda score: decode(number_of(score)),
                most,
            )
            members += near[0]
            scores += near[1]
            distances += near[2]
            if wanted and len(members) == wanted:
                break
        places: Sequence[int] = range(len(members))
        if self.sorts:
            places = places_in_order(distances, descending=self.descending)
        if self.count:
            places = places[: self.count]
        return [Hit(distances[place], members[place], scores[place]) for place in places]

    def reply(self, ctx: Context, sorted_set: SortedSet | None, event: str) -> Reply:
        """The reply, after storing the result if requested."""
        hits = [] if sorted_set is None else self.hits(sorted_set)
        if self.store is not None:
            scores = {hit.member: hit.metres / self.unit if self.store_distance else hit.score for hit in hits}
            return put_result(ctx.keyspace, self.store, scores, event, len(scores))
        return items_reply(hits, lambda some: [self._hit_reply(hit) for hit in some])

    def _hit_reply(self, hit: Hit) -> Reply:
        if not self.with_parts:
            return hit.member
        parts: list[Reply] = [hit.member]
        if b"WITHDIST" in self.with_parts:
            parts.append(distance_text(hit.metres, self.unit))
        if b"WITHHASH" in self.with_parts:
            parts.append(int(hit.score))
        if b"WITHCOORD" in self.with_parts:
            parts.append(coordinates(decode(number_of(hit.score))))
        return parts


def search_command(ctx: Context, argv: list[bytes], *, storing: bool) -> Reply:
    """GEOSEARCH and GEOSEARCHSTORE."""
    verb = argv[0].decode(errors="replace")
    at = 2 if storing else 1
    sorted_set = as_sorted_set(ctx.keyspace.read(argv[at]))
    search = _Search(verb)
    args = Args(argv, at + 1)
    by_member = by_place = False  # each may be repeated, but not mixed; the same applies to the shapes
    radius: float | None = None
    sides: tuple[float, float] | None = None
    while args.more():
        word = args.word()
        if search.take_common(args, word):
            continue
        if word == b"STOREDIST" and storing:
            search.store_distance = True
        elif word == b"FROMMEMBER" and args.more() and not by_place:
            by_member = True
            search.take_centre(sorted_set, args.take())
        elif word == b"FROMLONLAT" and args.left() >= 2 and not by_member:
            by_place = True
            search.centre = take_place(args)
        elif word == b"BYRADIUS" and args.left() >= 2 and sides is None:
            radius, _ = search.take_radius(args)
        elif word == b"BYBOX" and args.left() >= 3 and radius is None:
            sides = search.take_box(args)
        else:
            raise RespError(SYNTAX_ERROR)
    if storing:
        search.store = argv[1]
    search.check("GEOSEARCHSTORE" if storing else None)
    if not (by_member or by_place):
        raise RespError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {verb}")
    if radius is None and sides is None:
        raise RespError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {verb}")
    if search.centre is not None:
        search.shape = Shape(search.centre, radius, *(sides or ()))
    return search.reply(ctx, sorted_set, "geosearchstore")


@verbs.verb("GEOSEARCH", arity=-7, flags=Flag.READONLY, keys=_ACCESS, since="6.2.0")
def geosearch(ctx: Context, argv: list[bytes]) -> Reply:
    """GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]

    Returns the members of a geospatial index inside a circle or a box.

    Cost: O(N+log(M)) with N members around the shape and M in all
    """
    return search_command(ctx, argv, storing=False)


@verbs.verb(
    "GEOSEARCHSTORE",
    arity=-8,
    flags=_WRITE,
    keys=(key("OW", "update"), key("RO", "access", begin=2)),
    since="6.2.0",
)
def geosearchstore(ctx: Context, argv: list[bytes]) -> Reply:
    """GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]

    Stores the members inside a circle or a box in a key, with STOREDIST by their distance; returns how many there are.

    Cost: O(N+log(M)) with N members around the shape and M in all
    """
    return search_command(ctx, argv, storing=True)


def radius_command(ctx: Context, argv: list[bytes], *, by_member: bool, storing: bool) -> Reply:
    """The GEORADIUS family."""
    sorted_set = as_sorted_set(ctx.keyspace.read(argv[1]))
    search = _Search(argv[0].decode(errors="replace"))
    args = Args(argv, 2)
    radius = 0.0
    if not by_member:
        search.centre = take_place(args)
        radius, _ = search.take_radius(args)
    elif sorted_set is not None:
        search.take_centre(sorted_set, args.take())
        radius, _ = search.take_radius(args)
    else:  # nothing to search: member, radius and unit are not checked
        args.at += 3
    while args.more():
        word = args.word()
        if search.take_common(args, word):
            continue
        if word not in (b"STORE", b"STOREDIST") or not storing or not args.more():
            raise RespError(SYNTAX_ERROR)
        search.store, search.store_distance = args.take(), word == b"STOREDIST"
    search.check(None if search.store is None else "STORE option in GEORADIUS")
    if search.centre is not None:
        search.shape = Shape(search.centre, radius)
    return search.reply(ctx, sorted_set, "georadiusstore")


_STORE_SPECS = (
    key("RO", "access"),
    KeySpec(begin=6, keyword="STORE", flags=("OW", "update")),
    KeySpec(begin=6, keyword="STOREDIST", flags=("OW", "update")),
)
_MEMBER_STORE_SPECS = (
    key("RO", "access"),
    KeySpec(begin=5, keyword="STORE", flags=("OW", "update")),
    KeySpec(begin=5, keyword="STOREDIST", flags=("OW", "update")),
)


@verbs.verb(
    "GEORADIUS",
    arity=-6,
    flags=_WRITE | Flag.MOVABLEKEYS,
    keys=_STORE_SPECS,
    since="3.2.0",
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
)
def georadius(ctx: Context, argv: list[bytes]) -> Reply:
    """GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key]

    Returns, or stores, the members of a geospatial index inside a circle.

    Cost: O(N+log(M)) with N members around the circle and M in all
    """
    return radius_command(ctx, argv, by_member=False, storing=True)


@verbs.verb(
    "GEORADIUS_RO",
    arity=-6,
    flags=Flag.READONLY,
    keys=_ACCESS,
    since="3.2.10",
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
)
def georadius_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]

    Returns the members of a geospatial index inside a circle.

    Cost: O(N+log(M)) with N members around the circle and M in all
    """
    return radius_command(ctx, argv, by_member=False, storing=False)


@verbs.verb(
    "GEORADIUSBYMEMBER",
    arity=-5,
    flags=_WRITE | Flag.MOVABLEKEYS,
    keys=_MEMBER_STORE_SPECS,
    since="3.2.0",
    deprecated=("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"),
)
def georadiusbymember(ctx: Context, argv: list[bytes]) -> Reply:
    """GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key]

    Returns, or stores, the members of a geospatial index inside a circle around one of them.

    Cost: O(N+log(M)) with N members around the circle and M in all
    """
    return radius_command(ctx, argv, by_member=True, storing=True)


@verbs.verb(
    "GEORADIUSBYMEMBER_RO",
    arity=-5,
    flags=Flag.READONLY,
    keys=_ACCESS,
    since="3.2.10",
    deprecated=("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
)
def georadiusbymember_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]

    Returns the members of a geospatial index inside a circle around one of them.

    Cost: O(N+log(M)) with N members around the circle and M in all
    """
    return radius_command(ctx, argv, by_member=True, storing=False)
