"""The operations of the API, for HTTP and WebSocket alike: a document in, a JSON value out, in steps of a millisecond or two."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from januskv import __version__
from januskv.storage import metric_names
from januskv.storage.errors import BadVisibility, NoMatchingTags, StorageError
from januskv.storage.labels import NAME_LABEL
from januskv.storage.metric_names import Sight
from januskv.storage.metric_queries import AGGREGATORS, query_steps
from januskv.storage.samples import SampleSeries

from .answers import series_of, text_of
from .callers import Caller, Callers
from .errors import ApiError, BadRequest, no_matching_tags, nobody, of_engine
from .filters import FILTERS, encoded
from .ingest import Ingest
from .points import PutFault, read_points
from .requests import FUNCTIONS, Dialect, SuggestRequest, read_lookup, read_query, read_suggest
from .rights import Keys, readable, writable
from .subscriptions import Subscriptions

if TYPE_CHECKING:
    from januskv.compat.server.acl.rights import User
    from januskv.compat.server.server import Server
    from januskv.storage.age_off import AgeOff
    from januskv.storage.keyspace import Keyspace

Steps = Generator[None, None, Any]

# Values of a tag that the list of metrics shows.
MOST_TAG_VALUES: Final = 100
# Points that are stored in one go.
_POINTS: Final = 200
_SERIES: Final = 1000
# What OpenTSDB's clients are told of the dialect that is spoken.
_OPENTSDB_VERSION: Final = "2.3.0"


class TimelyFace:
    """What the operations work on. There is one for each server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.callers = Callers(server)
        self.subscriptions = Subscriptions(server)

    @property
    def ingest(self) -> Ingest:
        """What stores points."""
        points = self.server.points
        assert isinstance(points, Ingest)
        return points

    @property
    def keyspace(self) -> Keyspace:
        """The database of the metrics."""
        return self.ingest.keyspace

    @property
    def age_off(self) -> AgeOff:
        """How old points may be that are shown."""
        self.ingest.follow_settings()
        return self.ingest.age_off

    def account(self, caller: Caller) -> User:
        """The user of the server whose rights a caller has."""
        return self.server.users.default if caller.account is None else caller.account

    def may_read(self, caller: Caller) -> Keys | None:
        """What tells the keys of series that a caller may read; None: all. Raises ApiError (403) where there can be none."""
        return readable(self.server, self.account(caller))

    def unchanged(self, caller: Caller) -> Callable[[], bool]:
        """What tells whether the user of a caller is as it is now: nobody has changed its rights, or removed it."""
        user, users = self.account(caller), self.server.users
        version = user.version
        return lambda: user.version == version and users.by_name.get(user.name) is user

    def sight(self, caller: Caller) -> Sight:
        """The series whose names and tags a caller is told. Raises ApiError (403) where there can be none."""
        return Sight(self.age_off, self.may_read(caller))

    @property
    def dialect(self) -> Dialect:
        """Where Timely and OpenTSDB disagree, who is right."""
        config = self.server.config
        return Dialect(config.timely_strict, config.timely_downsampling == "opentsdb" and not config.timely_strict)


# ---------------------------------------------------------------- suggest, lookup, metrics


def _suggest(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    asked = read_suggest(document)
    sight = face.sight(caller)
    if asked.kind == "metrics":
        steps = metric_names.metric_names_steps(
            face.keyspace,
            prefix=encoded(asked.prefix or ""),
            containing=encoded(asked.metric or ""),
            most=asked.most,
            sight=sight,
        )
        return [text_of(name) for name in (yield from steps)]
    # Without a metric Timely has no answer; what begins with a text is looked for among all metrics, as by OpenTSDB.
    if not asked.metric and (asked.prefix is None or face.dialect.strict):
        return []
    found = yield from _tag_names(face, asked, encoded(asked.metric) if asked.metric else None, sight)
    begin = encoded(asked.prefix or "")
    names = [text_of(name) for name in found if name.startswith(begin)]
    return names if asked.most < 0 else names[: asked.most]


def _tag_names(
    face: TimelyFace, asked: SuggestRequest, metric: bytes | None, sight: Sight
) -> Generator[None, None, list[bytes]]:
    """The keys of tags, or values of a key; of all keys where none is given, but only if no metric is either."""
    keyspace = face.keyspace
    if asked.kind == "tagv" and asked.key:
        return (yield from metric_names.tag_values_steps(keyspace, metric, encoded(asked.key), sight=sight))
    if asked.kind == "tagv" and metric is not None:
        return []
    keys = yield from metric_names.tag_keys_steps(keyspace, metric, sight=sight)
    if asked.kind == "tagk":
        return keys
    values: set[bytes] = set()
    for key in keys:
        values.update((yield from metric_names.tag_values_steps(keyspace, None, key, sight=sight)))
    return sorted(values)


def _lookup(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    began = time.perf_counter()
    asked = read_lookup(document)
    pairs = yield from metric_names.tag_pairs_steps(face.keyspace, encoded(asked.metric), sight=face.sight(caller))
    found = []
    for number, (key, value) in enumerate(pairs, 1):
        if asked.takes(key, value):
            found.append((key, value))
        if number % _SERIES == 0:
            yield
    shown = found if asked.limit < 0 else found[: asked.limit]
    return {
        "type": "LOOKUP",
        "metric": asked.metric,
        "tags": asked.echo,
        "limit": asked.limit,
        "time": int((time.perf_counter() - began) * 1000),
        "totalResults": len(found),
        "results": [{"tags": {text_of(key): text_of(value)}, "metric": None, "tsuid": None} for key, value in shown],
    }


def _metrics(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    found = yield from metric_names.all_metrics_steps(face.keyspace, MOST_TAG_VALUES, sight=face.sight(caller))
    listed = []
    for number, (name, pairs) in enumerate(found, 1):
        tags = [{"key": text_of(key), "value": text_of(value)} for key, value in pairs]
        listed.append({"metric": text_of(name), "tags": tags})
        if number % 50 == 0:
            yield
    return {"metrics": listed}


def _cache(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    """What is held of which metrics, and from when to when."""
    keyspace = face.keyspace
    sight = face.sight(caller)
    names = yield from metric_names.metric_names_steps(keyspace, sight=sight)
    oldest: int | None = None
    newest: int | None = None
    for name in names:
        for number, key in enumerate(list(keyspace.labels.keys_with(NAME_LABEL, name)), 1):
            series = keyspace.get(key)
            if sight.may_read is not None and not sight.may_read(key):
                continue
            if type(series) is SampleSeries and (first := series.first_after(-1)) is not None:
                oldest = first[0] if oldest is None else min(oldest, first[0])
                newest = series.last_time if newest is None else max(newest, series.last_time)
            if number % _SERIES == 0:
                yield
        yield
    return {"oldestTimestamp": oldest or 0, "newestTimestamp": newest or 0, "metrics": list(map(text_of, names))}


# ---------------------------------------------------------------- query


def _query(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    asked = read_query(document, face.server.store.clock.now_ms, face.dialect)
    may_read = face.may_read(caller)
    answer = []
    for number, each in enumerate(asked.queries):
        groups = yield from query_steps(
            face.keyspace, each.query, caller.may_see, age_off=face.age_off, may_read=may_read
        )
        for group in groups:
            answer.append(series_of(each, group, asked, number))
    return answer


def _aggregators(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return list(AGGREGATORS if face.dialect.opentsdb else FUNCTIONS)


# ---------------------------------------------------------------- put


def _put(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    """Store points; what is answered where the client asks for it. Raises ApiError for a single point that is none."""
    if not (face.ingest.may_put(None) or caller.authenticated):
        raise nobody()
    if face.server.state.write_fault:
        raise ApiError(503, "Points cannot be stored", face.server.state.write_fault)
    may_write = writable(face.server, face.account(caller))
    many = isinstance(document, list)
    held = document if many else [document]
    errors: list[dict[str, Any]] = []
    for at in range(0, len(held), _POINTS):
        points = read_points(held[at : at + _POINTS] if many else document, strict=face.dialect.strict)
        for number, fault in enumerate(face.ingest.put(points, may_write), at):
            if fault is not None:
                if not many:
                    raise _refused(fault)
                errors.append({"datapoint": held[number], "error": fault.message})
        yield
    return {"success": len(held) - len(errors), "failed": len(errors), "errors": errors}


def _refused(fault: PutFault) -> ApiError:
    if fault.about_visibility:
        return ApiError(500, f"Error storing put metric: {fault.message}", fault.message)
    if fault.forbidden:
        return ApiError(403, fault.message)
    return BadRequest(fault.message)


# ---------------------------------------------------------------- what other servers have


def _version(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return __version__


def _opentsdb_version(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return {"version": _OPENTSDB_VERSION, "short_revision": "", "full_revision": "", "repo": f"JanusKV {__version__}"}


def _config(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return {"tsd.core.auto_create_metrics": "true", "tsd.http.request.enable_chunked": "true"}


def _config_filters(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return {name: {"examples": example, "description": about} for name, (_, example, about) in FILTERS.items()}


def _annotations(face: TimelyFace, document: Any, caller: Caller) -> Steps:
    yield
    return []


@dataclass(frozen=True, slots=True)
class Operation:
    """What is done for a request. ``open``: without a log-in. ``extra``: Timely does not have it."""

    act: Callable[[TimelyFace, Any, Caller], Steps]
    open: bool = False
    extra: bool = False


OPERATIONS: Final[dict[str, Operation]] = {
    "version": Operation(_version, open=True),
    "put": Operation(_put, open=True),
    "suggest": Operation(_suggest),
    "lookup": Operation(_lookup),
    "query": Operation(_query),
    "aggregators": Operation(_aggregators),
    "metrics": Operation(_metrics),
    "cache": Operation(_cache),
    "opentsdb-version": Operation(_opentsdb_version, extra=True),
    "config": Operation(_config, extra=True),
    "config-filters": Operation(_config_filters, extra=True),
    "annotations": Operation(_annotations, extra=True),
}


def run(name: str, document: Any, caller: Caller, face: TimelyFace) -> Steps:
    """Do an operation, in steps; gives a JSON value (points in it as ``answers.Dps``: ``answers.pieces`` spells it).

    Raises ApiError.
    """
    operation = OPERATIONS.get(name)
    if operation is None or (operation.extra and face.dialect.strict):
        raise ApiError(404, "Not found", f"There is no operation '{name}'")
    if face.server.state.loading:
        raise ApiError(503, "The data is being loaded", "Try again in a moment")
    if not operation.open and not caller.authenticated and not face.callers.anonymous:
        raise nobody()
    face.server.store.clock.tick()
    try:
        return (yield from operation.act(face, document, caller))
    except NoMatchingTags:
        raise no_matching_tags() from None
    except BadVisibility as error:
        raise ApiError(500, str(error)) from None
    except StorageError as error:
        known = of_engine(error)
        if known is None:
            raise
        raise known from error
