"""A server: its parts, assembled over a store, and operations that concern several of them. No sockets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from januskv.commands.table import CommandTable
from januskv.storage.durability.journal import Journal
from januskv.storage.store import Store

from .acl.rights import User
from .blocking import Waiting
from .busy import Busy
from .client import Client
from .client_lines import describe
from .config import Config
from .core import Core
from .dispatch import Dispatcher
from .long_commands import LongCommands
from .notifications import Notifier
from .parameters import ConfigError
from .pause import Pause
from .persistence import Persistence, journal_in
from .pubsub import PubSub
from .save_queue import SaveQueue
from .scripting import Scripting
from .tracking import Tracking
from .upkeep import Upkeep
from .watches import Watches

if TYPE_CHECKING:
    from januskv.storage.sessions import Session

log = logging.getLogger("januskv")


class Server(Core):
    """A running server. The composition root (``januskv.app``) creates it and adds listeners.

    Other code does not set its attributes: they are its parts, which have methods.
    """

    def __init__(self, store: Store, table: CommandTable, config: Config) -> None:
        super().__init__(store, table, config)
        self.watches = Watches(store.feed)
        self.pubsub = PubSub(store.feed)
        self.notifier = Notifier(store.feed, self.pubsub)
        self.pause = Pause(self)
        self.tracking = Tracking(self)
        self.waiting = Waiting(self, self.pause, self.tracking)
        self.long_commands = LongCommands(self, self.pause, self.tracking)
        self.saves = SaveQueue(self)
        self.upkeep = Upkeep(self, self.pause, self.waiting, self.long_commands)
        self.dispatcher = Dispatcher(self, self.pause, self.tracking, self.waiting, self.long_commands, self.watches)
        self.busy = Busy(self)
        self.scripting = Scripting(self, self.dispatcher, self.busy)
        self.persistence: Persistence | None = None
        self.users.on_change = self.user_changed
        self.users.log.describe = lambda client: describe(self.waiting, client, [])
        store.sessions.on_end = self.sessions_ended
        self.state.on_writable = lambda: self.later(0, self.pause.resume_parked)
        self.config_changed()

    # ------------------------------------------------------------ clients

    def remove_client(self, client: Client) -> None:
        """Forget a connection that is gone."""
        self.clients.remove(client)
        self.watches.forget(client)
        self.waiting.forget(client)
        self.pubsub.forget(client)
        self.tracking.turn_off(client)
        self.monitors.forget(client)

    def sessions_ended(self, sessions: Collection[Session]) -> None:
        """Tell the connections inside sessions that these have ended; clients blocked there get an error."""
        ended = frozenset(sessions)

        def tell(client: Client) -> None:
            client.refresh()
            self.waiting.give_up(client, "UNBLOCKED the selected session has ended")

        self.clients.each([client for client in self.clients.everyone() if client.session in ended], tell)

    def user_changed(self, before: User, user: User | None) -> None:
        """Apply a change of a user to its clients: all of one that was removed are closed (None), and those that listen to what they
        no longer may, or watch the commands of others.
        """
        monitor = self.table.commands[b"MONITOR"]

        def may_keep(client: Client, user: User) -> bool:
            held = client.subscriptions
            if client.monitoring and user.refusal(monitor, [b"MONITOR"]) is not None:
                return False
            return held is None or user.may_listen((*held.channels, *held.shards), held.patterns, held.keys)

        def follow(client: Client) -> None:
            if user is None:
                client.act_for(self.users.default, authenticated=False)
            elif may_keep(client, user):
                if user is self.users.default and user.is_open:
                    client.authenticated = True
                if user.sessions is not None and not user.may_enter(
                    None if client.session is None else client.session.name
                ):
                    nowhere = self.store.sessions.missing(0)
                    client.select(nowhere.keyspace, nowhere)
                    self.waiting.give_up(client, "UNBLOCKED the selected session has ended")
                client.refresh()
                return
            # One whose own command this is gets the reply first.
            (client.close if client.connection.running else client.kill)()

        concerned = before if user is None else user
        self.clients.each([client for client in self.clients.everyone() if client.user is concerned], follow)

    # ------------------------------------------------------------ configuration

    def config_changed(self) -> None:
        """Update everything derived from the configuration, after CONFIG SET and at start."""
        self.accounts.config_changed()
        self.store.sessions.token_bits = self.config.token_bits
        self.store.max_string_bytes = self.config.proto_max_bulk_len
        # Sharing a batch's time is too coarse for thresholds near the time of a quick command.
        self.state.set_time_all(self.config.slow_threshold_us < 1000)
        self.notifier.configure(self.config.notify_keyspace_events)
        self.tracking.limit()
        self.users.log.trim()
        if self.persistence is not None:
            self.persistence.config_changed()
        self.clients.each(self.clients.everyone(), lambda client: client.refresh())

    def prepare_change(self, values: dict[str, Any]) -> None:
        """Do what must succeed before CONFIG SET may change parameters. Raises ConfigError."""
        wanted = values.get("maxclients", 0)
        if (most := self.process.most_clients(wanted)) < wanted:
            raise ConfigError(
                f"The operating system is not able to handle the specified number of clients, try with {most}",
                "maxclients",
            )
        context = self.tls.prepare(values)
        before = self.config.bind, self.process.tcp_port, self.process.tls_port
        names = ("bind", "port", "tls_port")
        wanted_places = tuple(values.get(name, old) for name, old in zip(names, before, strict=True))
        moves = wanted_places != before
        if moves:
            try:
                self.process.rebind(*wanted_places)
            except ConfigError as error:
                first = next(name for name in names if name in values)
                raise ConfigError(str(error), first.replace("_", "-")) from error
        try:
            self.prepare_keeping(values)
        except ConfigError as error:
            if moves:
                self.process.rebind(*before)
            raise ConfigError(str(error), "appendonly" if "appendonly" in values else "save") from error
        self.tls.use(context)

    # ------------------------------------------------------------ keeping data

    def prepare_keeping(self, values: dict[str, Any]) -> None:
        """Start or stop keeping data as new values of parameters ask for. Raises ConfigError."""
        if self.persistence is not None:
            if "appendonly" in values:
                self.persistence.switch_log(values["appendonly"])
        elif any(
            values.get(name, False) not in (False, (), getattr(self.config, name)) for name in ("appendonly", "save")
        ):
            self.process.begin_keeping(bool(values.get("appendonly", False)))

    def keep(self, journal: Journal, call_soon: Callable[..., object] | None = None) -> Persistence:
        """Keep the data by a journal from now on; replies pass through the returned persistence."""
        persistence = Persistence(self, journal, call_soon)
        self.persistence = self.upkeep.persistence = self.outbox.gate = persistence
        persistence.config_changed()
        return persistence

    def keep_no_more(self) -> None:
        """Detach the persistence, if there is one, and return it; the caller closes it."""
        self.persistence = self.upkeep.persistence = self.outbox.gate = None

    def begin_keeping(self, logging: bool, call_soon: Callable[..., object] | None = None) -> None:
        """Keep the data of a server that was started without persistence: in 'dir', by snapshots or a log. Raises ConfigError.

        The server blocks until the first snapshot, with which a log begins, is complete.
        """
        persistence = self.keep(journal_in(self), call_soon)
        persistence.saved_elements = 0  # nothing has been saved
        if logging:
            try:
                persistence.begin_logging()
            except ConfigError:
                self.keep_no_more()
                persistence.close()
                raise
