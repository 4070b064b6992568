"""Points into series: lines of ``put``, the binary form, and what HTTP and WebSocket have read from JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from januskv import __version__
from januskv.compat.server.acl.rights import User, any_key
from januskv.compat.server.client import Client
from januskv.compat.server.client_context import ClientContext
from januskv.compat.server.points import PointReceiver
from januskv.compat.server.server import Server
from januskv.resp.inline import BinaryInput, TimelyBuffer, TimelyLines
from januskv.storage.age_off import AgeOff
from januskv.storage.errors import WrongType
from januskv.storage.keyspace import Keyspace
from januskv.storage.metrics import NAME_LABEL, read_series_key, series_for, series_key
from januskv.storage.samples import SampleSeries

from .binary import BadBuffer, CutBuffer, read_buffer
from .lines import Lines
from .points import BadPoint, Point, PutFault, Run
from .put_line import BadPointVisibility, check_point, point_of_line
from .rights import Keys, writable

# Texts of metric and tags whose key is known; each takes about 400 bytes.
_MOST_KNOWN: Final = 1 << 18
_DAY_MS: Final = 86_400_000
# Bytes of a line that the log repeats.
_SHOWN: Final = 100
# What is too old is looked for so often.
_SWEEP_EVERY_MS: Final = 60_000
_FORBIDDEN: Final = "their sender may not write this series"
_OTHER_TYPE: Final = "the key of its series holds something else"


class Ingest(PointReceiver):
    """Stores points in the series of their metric and tags, in the database for them. There is one for each server."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.state)
        self.server = server
        self.config = server.config
        self.lines = Lines(self.read_line, _MOST_KNOWN)
        self.replies: list[bytes] = []
        self.age_off = AgeOff()
        self.ages = False  # points can be too old
        self.visibility = b""  # of points that have none
        self.settings: tuple[object, ...] = ()  # that have been taken over
        self.swept_ms = server.store.clock.now_ms
        self.sweep: Iterator[None] | None = None
        server.serve_points(self)

    @property
    def keyspace(self) -> Keyspace:
        """The database that has the series of metrics."""
        index: int = self.config.timely_database
        return self.server.store.databases[index]

    def follow_settings(self) -> None:
        """Take over settings that have changed."""
        config = self.config
        settings = config.timely_default_visibility, config.timely_age_off, config.timely_seconds
        if settings == self.settings:
            return
        self.settings = settings
        self.visibility = config.timely_default_visibility.encode()
        default_days, days_by_metric = config.timely_age_off
        self.age_off = AgeOff(
            default_days * _DAY_MS, {metric.encode(): days * _DAY_MS for metric, days in days_by_metric}
        )
        self.ages = bool(default_days or days_by_metric)
        self.lines.seconds = config.timely_seconds
        self.lines.forget()

    # ------------------------------------------------------------ who may put

    def may_put(self, client: Client | None) -> bool:
        """Whether a client may put. None is anonymous, as is who is not authenticated."""
        return self.user_of(client) is not None

    def user_of(self, client: Client | None) -> User | None:
        """The user whose rights count for what a client puts: its own or, for anonymous ones, the default one; None if nothing is taken."""
        users = self.server.users
        if client is not None and client.authenticated and isinstance(client.user, User):
            if client.user is not users.default or (users.locked and client.logs_in):
                return client.user
        allowed: str = self.config.timely_anonymous_put
        return users.default if allowed == "yes" or (allowed == "auto" and not users.locked) else None

    def take(self, context: ClientContext, received: TimelyLines | TimelyBuffer) -> bytes:
        """See ``PointReceiver``."""
        if isinstance(received, TimelyBuffer):
            try:
                self.take_binary_of(context, received.data)
            except CutBuffer:
                raise BinaryInput from None
            return b""
        if not received.text:
            self.refuse_long_line(context.connected.address)
            return b""
        return self.take_lines_of(context, received.text)

    def take_lines_of(self, context: ClientContext, block: bytes) -> bytes:
        """``take_lines`` if the client may put; else ``version`` is answered, and the rest counted and logged."""
        client = context.connected
        user = self.user_of(client)
        if user is not None:
            if self.server.monitors:
                self.show_lines(context, block)
            return self.take_lines(block, writable(self.server, user, client))
        lines = block.replace(b"\r", b"\n").split(b"\n")
        versions = lines.count(b"version")
        self.refuse_anonymous(client.address, sum(map(bool, lines)) - versions)
        return __version__.encode() * versions

    def take_binary_of(self, context: ClientContext, data: bytes) -> None:
        """``take_binary`` if the client may put; else it is counted and logged. Raises CutBuffer."""
        client = context.connected
        user = self.user_of(client)
        if user is None:
            self.refuse_anonymous(client.address)
            return
        if self.server.monitors:
            self.server.monitors.feed(context, [b"put", data])
        self.take_binary(data, client.address, writable(self.server, user, client))

    def take_binary(self, data: bytes, address: str = "", may_write: Keys = any_key) -> None:
        """Store the points of a buffer, log and count what is wrong. Raises CutBuffer where it has no end."""
        try:
            points = read_buffer(data)
        except CutBuffer:
            raise
        except BadBuffer as error:
            self.refused(f"points of {address} refused: {error}")
            return
        for fault in self.put(points, may_write):
            if fault is not None:
                self.refused(f"a point of {address} is refused: {fault.message}", 0)

    def refuse_anonymous(self, address: str, count: int = 1) -> None:
        """Count and log points of somebody who may not put."""
        self.refused(f"points of {address} refused: there is a password, see timely-anonymous-put", count)

    def refuse_long_line(self, address: str) -> None:
        """Count and log a line that is too long."""
        self.refused(f"a line of {address} is too long, it is left out")

    def refused(self, reason: str, count: int = 1) -> None:
        """Count and log what is not stored, and not answered either."""
        if count:
            self.server.accounts.stats.timely_lines_refused += count
            self.server.limited_log.note("timely", reason)

    def show_lines(self, context: ClientContext, block: bytes) -> None:
        """Show lines to the clients that watch with MONITOR."""
        for line in block.replace(b"\r", b"\n").split(b"\n"):
            if words := line.split():
                self.server.monitors.feed(context, words)

    # ------------------------------------------------------------ points

    def take_lines(self, block: bytes, may_write: Keys = any_key) -> bytes:
        """Store the points of whole lines in series that may be written; what is answered: the version, and what is wrong with visibilities."""
        self.follow_settings()
        self.replies = []
        self.store(self.lines.gather(block), may_write)
        return b"".join(self.replies)

    def put(self, points: Sequence[Point | PutFault], may_write: Keys = any_key) -> list[PutFault | None]:
        """Store points in series that may be written; for each None, or why it is not stored. What is not a point stays what it is."""
        self.follow_settings()
        return [
            self.put_one(point, may_write) if isinstance(point, Point) else self.count_fault(point) for point in points
        ]

    def put_one(self, point: Point, may_write: Keys) -> PutFault | None:
        """Store a point; why it is not stored."""
        try:
            check_point(point)
            keyspace = self.keyspace
            key = series_key(point.metric, point.tags, point.visibility or self.visibility)
            if not may_write(key):
                return self.count_fault(PutFault(_FORBIDDEN, forbidden=True))
            if self.store_run(keyspace, key, keyspace.get(key), (point.time_ms,), (point.value,)):
                return self.count_fault(PutFault("the point is older than it is kept for"))
        except BadPoint as error:
            return self.count_fault(PutFault(str(error), about_visibility=isinstance(error, BadPointVisibility)))
        except WrongType:
            return self.count_fault(PutFault(_OTHER_TYPE))
        self.server.accounts.stats.timely_points_received += 1
        return None

    def count_fault(self, fault: PutFault) -> PutFault:
        """Count a point that is not stored, whose sender is told."""
        self.server.accounts.stats.timely_lines_refused += 1
        return fault

    def read_line(self, line: bytes) -> tuple[bytes, int, float] | None:
        """Key, time and value of a line that ``lines`` does not know; None if it holds no point, which is noted."""
        if line == b"version":
            self.replies.append(__version__.encode())
            return None
        try:
            point = point_of_line(line, seconds=self.config.timely_seconds)
            check_point(point)
        except BadPoint as error:
            if isinstance(error, BadPointVisibility):
                self.replies.append(f"Error storing put metric: {error}\n".encode(errors="replace"))
            self.refused(f"a line is refused: {error}: {shown(line)}")
            return None
        key = series_key(point.metric, point.tags, point.visibility or self.visibility)
        return key, point.time_ms, point.value

    def store(self, runs: list[Run], may_write: Keys = any_key) -> None:
        """Store points, series by series."""
        keyspace = self.keyspace
        ages = self.ages
        stored = 0
        for key, times, values in runs:
            if may_write is not any_key and not may_write(key):
                self.refused(f"points are refused: {_FORBIDDEN}: {shown(key)}", len(times))
                continue
            series = keyspace.get(key)
            if type(series) is SampleSeries and not ages:
                too_old = series.add_run(keyspace, key, times, values)
            else:
                try:
                    too_old = self.store_run(keyspace, key, series, times, values)
                except WrongType:
                    self.refused(f"a line is refused: {_OTHER_TYPE}: {shown(key)}", len(times))
                    continue
            if too_old:
                self.refused(f"points are older than they are kept for: {shown(key)}", too_old)
            stored += len(times) - too_old
        self.server.accounts.stats.timely_points_received += stored

    def store_run(
        self, keyspace: Keyspace, key: bytes, series: object, times: tuple[int, ...], values: tuple[float, ...]
    ) -> int:
        """Store points of one series, which is created where there is none; how many are too old. Raises WrongType."""
        if type(series) is not SampleSeries:
            _, series = series_for(keyspace, *read_series_key(key))
        if not self.ages:
            return series.add_run(keyspace, key, times, values)
        received = len(times)
        times, values = self.young_enough(series, times, values)
        return received - len(times) + series.add_run(keyspace, key, times, values)

    def young_enough(
        self, series: SampleSeries, times: tuple[int, ...], values: tuple[float, ...]
    ) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """The points that are not so old that nobody would see them."""
        metric = series.labels.get(NAME_LABEL, b"")
        oldest_ms = self.age_off.oldest_ms(metric, self.server.store.clock.now_ms)
        if min(times) >= oldest_ms:
            return times, values
        kept = [(time, value) for time, value in zip(times, values, strict=True) if time >= oldest_ms]
        return tuple(time for time, _ in kept), tuple(value for _, value in kept)

    # ------------------------------------------------------------ what time brings

    def run_cron(self) -> bool:
        """See ``PointReceiver``: remove what is too old to be seen, some series at a time."""
        self.follow_settings()
        now_ms = self.server.store.clock.now_ms
        if self.sweep is None and abs(now_ms - self.swept_ms) >= _SWEEP_EVERY_MS:
            self.swept_ms = now_ms
            self.sweep = self.age_off.sweep(self.keyspace)
        if self.sweep is not None and next(self.sweep, self) is self:
            self.sweep = None
        return self.sweep is not None


def shown(text: bytes) -> str:
    """The beginning of a line or a key, as the log shows it."""
    return repr(text[:_SHOWN])[1:] + ("..." if len(text) > _SHOWN else "")
