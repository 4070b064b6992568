"""The users of a server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from januskv.commands.context import Refusal
from januskv.commands.table import CommandTable
from januskv.compat.server.accounting import Accounts
from januskv.compat.server.client import Client, Peer
from januskv.compat.server.config import Config
from januskv.storage.clock import Clock

from . import files
from .attempts import Attempts
from .log import AclLog
from .passwords import fits, fits_nothing, is_costly
from .rights import User
from .rules import RuleError, Rules, config_line_of, has_spaces, text_of

log = logging.getLogger("januskv")

DEFAULT_USER: Final = "default"
# A client that logs in as this user, with a token as password, enters the session of the token.
SESSION_USER: Final = "session"
_OPEN: Final = (b"reset", b"on", b"nopass", b"allkeys", b"allchannels", b"allcommands")

BOTH: Final = (
    "there are users in the configuration file ('user') and in a file of their own ('aclfile'): use one of the two"
)


class Users:
    """The users by name, and the log of what they were denied.

    Users change in place, so that clients that refer to them lose rights at once. ``on_change(before, user)`` is called with a user
    as it was and as it is; the second is None for one that was removed.
    """

    def __init__(self, table: CommandTable, config: Config, accounts: Accounts, clock: Clock) -> None:
        self.config, self.accounts = config, accounts
        self.rules = Rules(table, config)
        self.log = AclLog(clock, config, accounts)
        self.attempts = Attempts(clock, config, accounts)
        self.default = User(DEFAULT_USER)
        self.by_name: dict[str, User] = {DEFAULT_USER: self.default}
        self.on_change: Callable[[User, User | None], None] = lambda before, user: None
        self.default.become(self._first_default())

    def everyone(self) -> list[User]:
        """All users, in the order of their names."""
        return [self.by_name[name] for name in sorted(self.by_name, key=_as_bytes)]

    # ------------------------------------------------------------ logging in

    @property
    def locked(self) -> bool:
        """Whether a client must log in: the default user has a password, or is off."""
        return not self.default.is_open

    def check(self, name: str, password: bytes) -> User | None:
        """The user with this name and password; None if there is none.

        That takes as long for names that do not exist: while a password of anybody is kept by scrypt, each failure costs that.
        """
        user = self.by_name.get(name)
        digests = [] if user is None else user.passwords
        same = fits(password, digests)
        if user is not None and user.enabled and (user.nopass or same):
            return user
        if not any(map(is_costly, digests)):
            everyone = self.by_name.values()
            costly = next((each for other in everyone for each in other.passwords if is_costly(each)), None)
            if costly is not None:
                fits_nothing(password, costly)
        return None

    def default_fits(self, password: bytes) -> bool:
        """Whether this is a password of the default user."""
        return self.check(DEFAULT_USER, password) is not None

    @property
    def has_others(self) -> bool:
        """Whether there are users besides the default one."""
        return len(self.by_name) > 1

    def is_known(self, user: User) -> bool:
        """Whether a user is there still, and may log in."""
        return user.enabled and self.by_name.get(user.name) is user

    # ------------------------------------------------------------ changing

    def _first_default(self) -> User:
        """The default user as the configuration has it: everything is allowed, to everyone unless there is a password."""
        user = User(DEFAULT_USER)
        self.rules.apply_all(user, _OPEN)
        self._set_password(user, self.config.requirepass)
        return user

    def _set_password(self, user: User, password: str) -> None:
        given = b">" + password.encode(errors="surrogateescape") if password else b"nopass"
        self.rules.apply_all(user, [b"resetpass", given])

    def set_default_password(self, password: str) -> None:
        """Give the default user this password and no other; an empty one lets everyone in (CONFIG SET requirepass)."""
        changed = self.default.copy()
        self._set_password(changed, password)
        self._replace(self.default, changed)

    def set(self, name: str, rules: Sequence[bytes]) -> None:
        """Change or make a user by rules, all of them or none. Raises RuleError."""
        if has_spaces(_as_bytes(name)):
            raise RuleError("Usernames can't contain spaces or null characters")
        if name == SESSION_USER:
            raise RuleError(f"The user '{SESSION_USER}' stands for sessions: AUTH {SESSION_USER} <token>")
        user = self.by_name.get(name)
        changed = self.rules.new_user(name) if user is None else user.copy()
        self.rules.apply_all(changed, rules)
        if user is None:
            self.by_name[name] = changed
        else:
            self._replace(user, changed)

    def _replace(self, user: User, changed: User) -> None:
        before = user.copy()
        user.become(changed)
        self.on_change(before, user)

    def remove(self, names: Sequence[str]) -> int:
        """Remove users, whose connections are closed; how many there were. Raises RuleError, with all still there, for the default user."""
        if DEFAULT_USER in names:
            raise RuleError("The 'default' user cannot be removed")
        removed = [user for name in names if (user := self.by_name.pop(name, None)) is not None]
        for user in removed:
            self.on_change(user, None)
        return len(removed)

    # ------------------------------------------------------------ files

    def begin(self) -> None:
        """Make the users that the configuration or the file of users names. Raises RuleError or FileError, in clear words."""
        if self.config.aclfile and self.config.user_lines:
            raise RuleError(BOTH)
        seen: set[str] = set()
        for where, words in self.config.user_lines:
            if not words:
                raise RuleError(f"{where}: user: a name is missing")
            name = text_of(words[0])
            try:
                if name in seen:
                    raise RuleError("Duplicate user found. A user can only be defined once in config files")
                if has_spaces(words[0]) or name == SESSION_USER:
                    raise RuleError("this is not a name for a user")
                user = self.default.copy() if name == DEFAULT_USER else self.rules.new_user(name)
                files.configured(self.rules, user, [b"reset", *words[1:]])
            except RuleError as error:
                raise RuleError(f"{where}: user '{name}': {error}") from None
            seen.add(name)
            if name == DEFAULT_USER:
                self.default.become(user)
            else:
                self.by_name[name] = user
            if not user.enabled:
                log.info("the user '%s' is off: its line has no 'on'", name)
        if self.config.aclfile:
            self._load()

    def load(self) -> None:
        """Read the file of users again (ACL LOAD): all of it or, if anything is wrong, nothing. Raises FileError."""
        self._load()

    def _load(self) -> None:
        loaded = files.read(self.rules, self.config.aclfile, (SESSION_USER,))
        if DEFAULT_USER not in loaded:
            loaded[DEFAULT_USER] = self._first_default()
        before, self.by_name = self.by_name, {}
        for name, new in loaded.items():
            old = before.get(name)
            self.by_name[name] = new if old is None else old
        for name, user in before.items():
            if name in loaded:
                self._replace(user, loaded[name])
            else:
                self.on_change(user, None)

    def save(self) -> None:
        """Write all users to the file of users. Raises OSError."""
        files.write(self.config.aclfile, self.everyone())

    def config_lines(self) -> list[bytes]:
        """The lines of users for the configuration file; none while they are as the other parameters have them."""
        if self.config.aclfile:
            return []
        lines = [config_line_of(user) for user in self.everyone()]
        return [] if lines == [config_line_of(self._first_default())] else lines

    # ------------------------------------------------------------ denials

    def denied(self, refusal: Refusal, context: str, user: str, client: Client | Peer | None) -> str:
        """Note that a user was denied a command; the text of the error."""
        self.log.add(refusal.reason, context, refusal.name, user, client)
        return f"NOPERM {denial(refusal, user)}"

    def login_failed(self, user: str, client: Client | Peer | None, command: bytes) -> None:
        """Note a failed log-in, for its address as well."""
        self.attempts.failed(client)
        self.note_failure(user, client, command)

    def note_failure(self, user: str, client: Client | Peer | None, command: bytes) -> None:
        """Have a failed log-in in the log."""
        within = isinstance(client, Client) and (client.queue is not None or client.connection.context.in_transaction)
        self.log.add("auth", "multi" if within else "toplevel", command, user, client)

    def certified(self, name: str, client: Client | Peer) -> User | None:
        """The user whose name a verified certificate has; None if there is none, which is noted. An empty name is no one's."""
        user = self.by_name.get(name)
        if user is not None and user.enabled:
            return user
        if name:
            self.accounts.stats.login_failures += 1
            self.note_failure(name, client, b"TLS")
            log.info("the certificate of %s is that of no user: %s", client.address, ascii(name[:100]))
        return None


def denial(refusal: Refusal, user: str, *, named: bool = False) -> str:
    """Why a user may not run a command, in Redis' words; ``named``: with the name of the key or channel (ACL DRYRUN)."""
    name = text_of(refusal.name)
    if refusal.reason == "command":
        return f"User {user} has no permissions to run the '{name}' command"
    if named:
        return f"User {user} has no permissions to access the '{name}' {refusal.reason}"
    return f"No permissions to access a {refusal.reason}"


def _as_bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
