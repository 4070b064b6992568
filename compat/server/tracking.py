"""Client-side caching: which clients have read which key, and are told when it changes.

    readers    key -> the clients that have read it and may have it in a cache
    prefixes   prefix -> the clients that are told of all keys that begin so (BCAST)

As in Redis, keys are distinguished by name only, not by database: a change in another one may cause a needless message,
but none is missed. Readers are told immediately, of each key separately; the client whose command runs gets the message
after its reply. Changes under a prefix are sent in one message at the end of the event loop's round.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from januskv.commands.declare import Flag
from januskv.commands.table import Command
from januskv.resp.replies import Push
from januskv.storage.event_table import OF_ALL_KEYS, SILENT
from januskv.storage.keyspace import Keyspace
from januskv.storage.values import text_from_bytes

from .client import Client
from .core import Core
from .faults import RespError
from .key_names import BadBody, called, keys_of
from .tracking_mode import TrackingMode

log = logging.getLogger("januskv")

CHANNEL: Final = b"__redis__:invalidate"

# Keys swept of stale readers at a time, and the time between two sweeps: 1 to 2 % of a core.
_SWEPT_KEYS = 1000
_SWEEP_EVERY_S = 0.02
# Keys beyond tracking-table-max-keys forgotten at a time; the rest follow after other clients have been served.
_FORGOTTEN_KEYS = 1000


class Tracking:
    """The clients that have tracking on. Listens to the feed while there are any."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.clients: dict[Client, None] = {}
        # Its first key is found in O(1), however many were removed there, unlike that of a dict.
        self.readers: OrderedDict[bytes, dict[Client, None]] = OrderedDict()
        self.prefixes: dict[bytes, dict[Client, None]] = {}
        self._running: Client | None = None  # the client whose command runs, if it has tracking on
        # Prefix -> the keys that have changed in this round, and the tracking client if it alone has changed the key.
        self.broadcasts: dict[bytes, dict[bytes, Client | None]] = {}
        self.broadcast_called = self.limit_called = False
        self.flush_pending = False
        self.unswept = 0  # number of keys, from the first on, that may have readers that have tracking off or are gone
        self.sweep_again = self.sweeping = False

    # ------------------------------------------------------------ on and off

    def turn_on(self, client: Client, mode: TrackingMode) -> None:
        """Start tracking for a client, or change its options. Raises RespError."""
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
        self.core.store.feed.subscribe(self.on_change)
        client.refresh()

    def turn_off(self, client: Client) -> None:
        """Stop tracking for a client; no error if it was off."""
        mode = client.tracking
        if mode is None:
            return
        for prefix in mode.prefixes:
            del self.prefixes[prefix][client]
            if not self.prefixes[prefix]:
                del self.prefixes[prefix]
                self.broadcasts.pop(prefix, None)
        client.tracking = None
        del self.clients[client]
        if not self.clients:
            self.readers.clear()
            self.unswept = 0
            self.core.store.feed.unsubscribe(self.on_change)
        elif self.readers and not mode.broadcast:
            self.sweep_again = True
            self.call_sweep()
        client.refresh()

    def call_sweep(self) -> None:
        """Schedule a sweep of the table."""
        if not self.sweeping:
            self.sweeping = True
            self.core.later(_SWEEP_EVERY_S, self.sweep)

    def sweep(self) -> None:
        """Forget the readers that have tracking off or are gone, some keys at a time: there may be a million."""
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
        """Note that a command of a client with tracking on begins."""
        self._running = client

    def stopped(self) -> None:
        """Note that the command no longer runs: it has ended, or continues later."""
        self._running = None

    def ended(self, client: Client, command: Command, argv: list[bytes] | None, *, answered: bool) -> None:
        """Remember the keys read by a command that has ended, or waits. CLIENT CACHING holds until its reply.

        ``argv`` is None if it has failed: it has read nothing then, and its keys may be unknown.
        """
        self._running = None
        if client.tracking is None:
            return
        if argv is not None:
            self.note_read(client, command, argv)
        if answered:
            self.answered_one(client, command)

    def note_read(self, client: Client, command: Command, argv: list[bytes]) -> None:
        """Remember the keys that a command has read for a client with tracking on."""
        mode = client.tracking
        if mode is not None and not mode.broadcast and mode.remembers:
            self.remember(client, self.keys_read(command, argv))

    def answered_one(self, client: Client, command: Command | None) -> None:
        """End CLIENT CACHING after a command that ran or was rejected, unless that is CLIENT itself or inside MULTI."""
        mode = client.tracking
        if mode is not None and client.queue is None and (command is None or Flag.ABOUT_CLIENTS not in command.flags):
            mode.caching = False

    def keys_read(self, command: Command, argv: list[bytes]) -> list[bytes]:
        """The keys that a command has read. After it has run, they are where its declaration says."""
        table = self.core.table
        if Flag.READONLY not in command.flags and command is not table.document:
            return []
        try:
            found, arguments = called(table, argv)
            if found is None or Flag.READONLY not in found.flags:
                return []
            return [name for name, _ in keys_of(found, arguments)]
        except BadBody:
            return []  # a native command that was rejected
        except (ValueError, IndexError):
            log.exception("the keys of %s are not where its declaration says", command.name)
            return []

    def answered(self, client: Client, command: Command, names: list[bytes]) -> None:
        """Note the keys from which a blocked command was answered; none on timeout."""
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
        self.limit()

    def limit(self) -> None:
        """Forget the oldest keys if there are too many; their readers are told."""
        most: int = self.core.config.tracking_table_max_keys
        extra = len(self.readers) - most if most else 0
        for _ in range(min(extra, _FORGOTTEN_KEYS)):
            self.tell_readers(next(iter(self.readers)), None)
        if extra > _FORGOTTEN_KEYS and not self.limit_called:
            self.limit_called = True
            self.core.later(0, self.limit_again)

    def limit_again(self) -> None:
        """Continue forgetting keys."""
        self.limit_called = False
        self.limit()

    # ------------------------------------------------------------ changes

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Notify the clients that a change concerns."""
        if event in SILENT:
            return
        if event in OF_ALL_KEYS:
            self.flushed()
            return
        if key in self.readers:
            self.tell_readers(key, self._running)
        for prefix in self.prefixes:
            if key.startswith(prefix):
                self.note_broadcast(prefix, key)

    def flushed(self) -> None:
        """Have all clients told, once per command, to forget everything, even if there was nothing to remove."""
        self.readers.clear()
        if self.clients and not self.flush_pending:
            self.flush_pending = True
            self.core.outbox.wake = True  # code that runs commands calls send_flushed
            self.core.later(0, self.send_flushed)

    def send_flushed(self) -> None:
        """Tell all clients to forget everything, if that is pending."""
        if self.flush_pending:
            self.flush_pending = False
            for client in list(self.clients):
                self.tell(client, None)

    def tell_readers(self, key: bytes, writer: Client | None) -> None:
        """Notify the readers of a key, once; not the writer under NOLOOP."""
        self.send_flushed()
        for client in self.readers.pop(key):
            if reads(client) and not (client is writer and client.tracking.no_loop):  # type: ignore[union-attr]
                self.tell(client, [key])

    def note_broadcast(self, prefix: bytes, key: bytes) -> None:
        """Schedule messages to the clients that track all keys with a prefix."""
        keys = self.broadcasts.setdefault(prefix, {})
        keys[key] = self._running if keys.get(key, self._running) is self._running else None
        if not self.broadcast_called:
            self.broadcast_called = True
            self.core.later(0, self.broadcast)

    def broadcast(self) -> None:
        """Send the changed keys of each prefix, in one message per prefix."""
        self.broadcast_called = False
        broadcasts, self.broadcasts = self.broadcasts, {}
        for prefix in sorted(broadcasts):
            writers = broadcasts[prefix]
            names = list(writers)
            for client in list(self.prefixes.get(prefix, ())):
                assert client.tracking is not None
                if client.tracking.no_loop:
                    names_of_others = [key for key, writer in writers.items() if writer is not client]
                    if names_of_others:
                        self.tell(client, names_of_others)
                else:
                    self.tell(client, names)

    def tell(self, client: Client, keys: list[bytes] | None) -> None:
        """Send one message to a client with tracking on, or to the one that it redirects to; None: all keys."""
        target: Client | None = client
        mode = client.tracking
        assert mode is not None
        if mode.redirect:
            target = self.core.clients.by_id.get(mode.redirect)
            if target is None:
                mode.broken = True
                if client.protocol == 3:
                    client.push(Push([b"tracking-redir-broken", mode.redirect]))
                return
        assert target is not None
        self.core.clients.each([target], lambda each: _tell(each, keys, redirected=bool(mode.redirect)))


def _tell(client: Client, keys: list[bytes] | None, *, redirected: bool) -> None:
    """Send one message, in the client's form; nothing if it has not asked for it."""
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
    """Whether the keys that a client reads are tracked: it has tracking on, and not by prefixes."""
    return client.tracking is not None and not client.tracking.broadcast


def _check_prefixes(new: list[bytes], held: list[bytes]) -> None:
    """Reject prefixes if one begins with another. Raises RespError."""
    for at, prefix in enumerate(new):
        others = [(each, "an existing") for each in held] + [(each, "another provided") for each in new[at + 1 :]]
        for other, what in others:
            if prefix.startswith(other) or other.startswith(prefix):
                raise RespError(
                    f"ERR Prefix '{prefix.decode(errors='surrogateescape')}' overlaps with {what} prefix "
                    f"'{other.decode(errors='surrogateescape')}'. Prefixes for a single client must not overlap."
                )
