"""Client-side caching: who has read which key, and who is told that it has changed.

    readers    key -> the clients that have read it and may have it in a cache
    prefixes   prefix -> the clients that are told of all keys that begin so (BCAST)

As in Redis keys are told apart by name only, not by database: a change in another one tells too much, never too little.
Messages go out at the end of the event loop's round, behind the reply of the command that brought them about.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from januskv.commands.declare import Flag
from januskv.commands.table import Command
from januskv.resp.replies import Push
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import text_from_bytes

from .faults import RespError

if TYPE_CHECKING:
    from .client import Client
    from .server import Server

log = logging.getLogger("januskv")

CHANNEL: Final = b"__redis__:invalidate"

# Keys of which the clients that are gone are forgotten at a time, and the time between two looks: 1 to 2 % of a core.
_SWEPT_KEYS = 1000
_SWEEP_EVERY_S = 0.02
_SILENT = frozenset(("keymiss", "new"))


class TrackingMode:
    """How one client wants to be told."""

    __slots__ = ("broadcast", "broken", "caching", "no_loop", "opt_in", "opt_out", "prefixes", "redirect")

    def __init__(self) -> None:
        self.redirect = 0  # id of the connection that is told; 0: the client itself
        self.broadcast = self.opt_in = self.opt_out = self.no_loop = False
        self.prefixes: list[bytes] = []
        self.caching = False  # CLIENT CACHING was the last command
        self.broken = False  # the connection that was to be told is gone

    @property
    def remembers(self) -> bool:
        """Whether keys that are read now are remembered."""
        if self.opt_in:
            return self.caching
        return not (self.opt_out and self.caching)


class Tracking:
    """The clients that have tracking on. Listens to the feed while there is any."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: dict[Client, None] = {}
        # Its first key is found at once however many were taken from there, as that of a dict is not.
        self.readers: OrderedDict[bytes, dict[Client, None]] = OrderedDict()
        self.prefixes: dict[bytes, dict[Client, None]] = {}
        self.writer: Client | None = None  # whose command runs, if it has tracking on
        self.pending: dict[Client, dict[bytes, None] | None] = {}  # what to tell; None: everything has gone
        self.called = False
        self.unswept = 0  # so many keys, from the first on, may have readers that have tracking off or are gone
        self.sweep_again = self.sweeping = False

    # ------------------------------------------------------------ on and off

    def turn_on(self, client: Client, mode: TrackingMode) -> None:
        """Begin to tell a client, or go on with other options. Raises RespError."""
        before = client.tracking
        if before is not None and before.broadcast != mode.broadcast:
            raise RespError(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling"
                " it with a different mode."
            )
        if before is not None and ((before.opt_in and mode.opt_out) or (before.opt_out and mode.opt_in)):
            raise RespError(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling"
                " it with a different mode."
            )
        if mode.broadcast:
            _check_prefixes(mode.prefixes, [] if before is None else before.prefixes)
            held = [] if before is None else before.prefixes
            mode.prefixes = [*held, *mode.prefixes] or [b""]
            for prefix in mode.prefixes:
                self.prefixes.setdefault(prefix, {})[client] = None
        mode.caching = before is not None and before.caching
        client.tracking = mode
        self.clients[client] = None
        self.server.store.feed.subscribe(self.on_change)
        client.refresh()

    def turn_off(self, client: Client) -> None:
        """Tell a client no more; no error if it was not told."""
        mode = client.tracking
        if mode is None:
            return
        for prefix in mode.prefixes:
            del self.prefixes[prefix][client]
            if not self.prefixes[prefix]:
                del self.prefixes[prefix]
        client.tracking = None
        del self.clients[client]
        self.pending.pop(client, None)
        if not self.clients:
            self.readers.clear()
            self.unswept = 0
            self.server.store.feed.unsubscribe(self.on_change)
        elif self.readers and not mode.broadcast:
            self.sweep_again = True
            self.call_sweep()
        client.refresh()

    def call_sweep(self) -> None:
        """Have the table swept soon."""
        if not self.sweeping:
            self.sweeping = True
            self.server.later(_SWEEP_EVERY_S, self.sweep)

    def sweep(self) -> None:
        """Forget the readers that have tracking off or are gone, some keys at a time, since there may be a million."""
        self.sweeping = False
        if not self.unswept and self.sweep_again:
            self.unswept, self.sweep_again = len(self.readers), False
        count = min(_SWEPT_KEYS, self.unswept, len(self.readers))
        self.unswept -= count
        for _ in range(count):
            key, readers = next(iter(self.readers.items()))
            for client in [each for each in readers if not reads(each)]:
                del readers[client]
            if readers:
                self.readers.move_to_end(key)
            else:
                del self.readers[key]
        if not self.readers:
            self.unswept = 0
        if self.unswept or self.sweep_again:
            self.call_sweep()

    # ------------------------------------------------------------ reading

    def began(self, client: Client) -> None:
        """A command of a client with tracking on begins."""
        self.writer = client

    def ended(self, client: Client, command: Command, argv: list[bytes] | None) -> None:
        """It has ended, or waits: remember the keys that it has read. CLIENT CACHING holds until it is answered.

        ``argv`` is None if it has failed: it has read nothing then, and may not even say which keys are meant.
        """
        self.writer = None
        mode = client.tracking
        if mode is None:
            return
        if argv is not None and Flag.READONLY in command.flags and not mode.broadcast and mode.remembers:
            self.remember(client, self.keys_of(command, argv))
        if client not in self.server.waiting.by_client and not self.server.in_exec:
            self.answered_one(client, command)

    def answered_one(self, client: Client, command: Command | None) -> None:
        """A command is over, or was refused: CLIENT CACHING was for this one, unless it is CLIENT itself or inside MULTI."""
        mode = client.tracking
        if mode is not None and client.queue is None and (command is None or not command.name.startswith("CLIENT|")):
            mode.caching = False

    @staticmethod
    def keys_of(command: Command, argv: list[bytes]) -> list[bytes]:
        """The keys that a command has read. One that has run has keys where its declaration says."""
        try:
            return [argv[at] for at in command.key_positions(argv)]
        except (ValueError, IndexError):
            log.exception("the keys of %s are not where its declaration says", command.name)
            return []

    def answered(self, client: Client, command: Command, names: list[bytes]) -> None:
        """A command that has waited is answered from the keys of these names; none if its time was over."""
        mode = client.tracking
        if mode is None:
            return
        if names and Flag.READONLY in command.flags and not mode.broadcast and mode.remembers:
            self.remember(client, names)
        mode.caching = False

    def remember(self, client: Client, names: list[bytes]) -> None:
        """Note that a client has read keys and may have them in a cache."""
        for name in names:
            self.readers.setdefault(name, {})[client] = None
        self.limit(self.server.config.tracking_table_max_keys)

    def limit(self, most: int) -> None:
        """Forget the keys that were remembered first where there are too many; their readers are told."""
        while most and len(self.readers) > most:
            self.tell_readers(next(iter(self.readers)))

    # ------------------------------------------------------------ changes

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Tell the clients that a change concerns."""
        if event in _SILENT:
            return
        if not key and event in ("flushdb", "swapdb"):
            self.flushed()
            return
        if key in self.readers:
            self.tell_readers(key)
        if self.prefixes:
            for prefix, clients in self.prefixes.items():
                if key.startswith(prefix):
                    for client in clients:
                        self.tell(client, key)

    def flushed(self) -> None:
        """Tell all clients to forget everything, also where nothing was there to be removed."""
        self.readers.clear()
        for client in self.clients:
            self.pending[client] = None
        self.call()

    def tell_readers(self, key: bytes) -> None:
        """Tell those that have read a key, once."""
        for client in self.readers.pop(key):
            if reads(client):
                self.tell(client, key)

    def tell(self, client: Client, key: bytes) -> None:
        """Tell one client of one key, unless it does not want to hear of what it does itself."""
        mode = client.tracking
        if mode is None or (mode.no_loop and client is self.writer):
            return
        keys = self.pending.setdefault(client, {})
        if keys is not None:
            keys[key] = None
        self.call()

    def call(self) -> None:
        """Have the messages sent soon, once."""
        if not self.called:
            self.called = True
            self.server.later(0, self.send)

    def send(self) -> None:
        """Send the messages that wait."""
        self.called = False
        pending, self.pending = self.pending, {}
        for client, keys in pending.items():
            if client.tracking is not None:
                self._send(client, client.tracking, None if keys is None else list(keys))

    def send_to_readers(self) -> None:
        """Send the messages that wait for clients that have read keys: before such a client gets what it waited for.

        Broadcast clients are told behind that, and once of keys that were filled and emptied again.
        """
        for client in [each for each in self.pending if reads(each)]:
            keys = self.pending.pop(client)
            assert client.tracking is not None
            self._send(client, client.tracking, None if keys is None else list(keys))

    def _send(self, client: Client, mode: TrackingMode, keys: list[bytes] | None) -> None:
        target: Client | None = client
        if mode.redirect:
            target = self.server.clients.get(mode.redirect)
            if target is None:
                mode.broken = True
                if client.protocol == 3:
                    client.push(Push([b"tracking-redir-broken", mode.redirect]))
                return
        assert target is not None
        self.server.each_client([target], lambda each: _tell(each, keys, redirected=bool(mode.redirect)))


def _tell(client: Client, keys: list[bytes] | None, *, redirected: bool) -> None:
    """Send one message, in the form that the client reads; nothing to one that has not asked for it."""
    held = client.subscriptions
    subscribed = redirected and held is not None and CHANNEL in held.channels
    if redirected and held is not None and held.native:
        if subscribed:
            names = None if keys is None else [text_from_bytes(key) for key in keys]
            client.connection.push_native({"SV_MESSAGE": {"channel": CHANNEL.decode(), "message": names}})
    elif client.protocol == 3:
        client.push(Push([b"invalidate", keys]))
    elif subscribed:
        client.push(Push([b"message", CHANNEL, keys]))


def reads(client: Client) -> bool:
    """Whether a client is told of the keys that it reads: it has tracking on, and not by prefixes."""
    return client.tracking is not None and not client.tracking.broadcast


def _check_prefixes(new: list[bytes], held: list[bytes]) -> None:
    """Refuse prefixes of which one begins with another. Raises RespError."""
    for at, prefix in enumerate(new):
        others = [(each, "an existing") for each in held] + [(each, "another provided") for each in new[at + 1 :]]
        for other, what in others:
            if prefix.startswith(other) or other.startswith(prefix):
                raise RespError(
                    f"ERR Prefix '{prefix.decode(errors='replace')}' overlaps with {what} prefix "
                    f"'{other.decode(errors='replace')}'. Prefixes for a single client must not overlap."
                )


def describe(mode: TrackingMode | None) -> dict[str, Any]:
    """What CLIENT TRACKINGINFO says: flags, redirect, prefixes."""
    if mode is None:
        return {"flags": ["off"], "redirect": -1, "prefixes": []}
    named = [
        ("on", True),
        ("bcast", mode.broadcast),
        ("optin", mode.opt_in),
        ("caching-yes", mode.opt_in and mode.caching),
        ("optout", mode.opt_out),
        ("caching-no", mode.opt_out and mode.caching),
        ("noloop", mode.no_loop),
        ("broken_redirect", mode.broken),
    ]
    return {"flags": [name for name, is_set in named if is_set], "redirect": mode.redirect, "prefixes": mode.prefixes}
