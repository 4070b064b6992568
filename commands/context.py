"""The call context: what a handler may touch besides its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store

if TYPE_CHECKING:
    from .table import Command


class Settings:
    """The settings that data commands read: up to what sizes values are stored compactly."""

    hash_max_listpack_entries: int
    hash_max_listpack_value: int
    hll_sparse_max_bytes: int
    list_max_listpack_size: int
    set_max_intset_entries: int
    set_max_listpack_entries: int
    set_max_listpack_value: int
    stream_node_max_bytes: int
    stream_node_max_entries: int
    zset_max_listpack_entries: int
    zset_max_listpack_value: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a user may not run a command: ``reason`` is command, key or channel, ``name`` the one that is denied."""

    reason: str
    name: bytes


class Account:
    """Who a caller acts for. This base class is the server itself, which may do everything; see ``User`` for what users may do.

    ``unrestricted``: it may run every command, with all keys and channels.
    """

    __slots__ = ("name", "unrestricted")

    def __init__(self, name: str = "default") -> None:
        self.name = name
        self.unrestricted = True

    @property
    def guard(self) -> Any:
        """What tells which requests need no closer look (``acl.guards.Guard``); None: none needs one."""
        return None

    def refusal(self, command: Command, argv: Sequence[bytes]) -> Refusal | None:
        """Why it may not run a command line; None if it may."""
        return None

    def refusal_of(self, command: Command, uses: Any) -> Refusal | None:
        """Why it may not run a command with these keys and channels; see ``acl.rights.Uses``."""
        return None

    def may_enter(self, session: str | None) -> bool:
        """Whether it may use the session of a name, or the numbered databases (None)."""
        return True

    def may_access(self, key: bytes, *, write: bool = False) -> bool:
        """Whether it may read, or write, a key that a command line does not name."""
        return True

    def reads_all_keys(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether it may run a command line even if that reads any key (SORT BY)."""
        return True


THE_SERVER: Final = Account()


class Caller:
    """The caller. This base class is not a connection: a script, an HTTP request, a test, the server itself."""

    __slots__ = ("user",)

    def __init__(self, user: Account = THE_SERVER) -> None:
        self.user = user

    @property
    def user_name(self) -> str:
        """The name that its user goes by."""
        return self.user.name

    @property
    def shown(self) -> str:
        """Its name in the log."""
        return "the server"


class ScriptCaller(Caller):
    """A script or function, which runs for a user."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """Its name in the log, and for MONITOR."""
        return "lua"


NOBODY = Caller()


class Context:
    """The store, the selected keyspace, the settings, and the caller.

    Each connection has one; SELECT changes ``keyspace``. ``command`` is the running or last command;
    ``in_transaction`` says that it runs inside EXEC. A data command needs no more, so it
    runs unchanged from every face, from scripts and in tests. Commands about the server or the connection get a context
    with more (``januskv.compat.server.context``).
    """

    __slots__ = ("caller", "command", "in_transaction", "keyspace", "settings", "store")

    def __init__(self, store: Store, keyspace: Keyspace, settings: Settings, caller: Caller = NOBODY) -> None:
        self.store: Store = store
        self.keyspace: Keyspace = keyspace
        self.settings: Settings = settings
        self.caller: Caller = caller
        self.command: Command | None = None
        self.in_transaction: bool = False
