"""What a user may do: commands, keys and channels, in one or several selectors.

A command is allowed if one selector allows it with all of its keys and channels; rights of several are not combined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from januskv.commands.context import Account, Refusal
from januskv.commands.declare import ChannelSpec, Flag, KeySpec
from januskv.commands.table import Command
from januskv.compat.server.key_names import BadBody, arguments_of
from januskv.storage.glob import matcher

from .guards import READ, WRITE, Guard, KeyPattern, Part, rights_of

# What makes a pattern more than a name.
_GLOB: Final = re.compile(rb"[*?\[\\]")

# Which reason is told if the selectors refuse for several: that of the one that came furthest.
_RANKS: Final = {"command": 1, "key": 2, "channel": 4}


class KeyUse(NamedTuple):
    """A key of a command line, and the rights that it takes: READ, WRITE, both, or 0 for any. ``position``: its index there.

    ``is_pattern``: the name is a pattern, of which all keys are used.
    """

    name: bytes
    rights: int
    position: int
    is_pattern: bool = False


class ChannelUse(NamedTuple):
    """A channel of a command line, or a pattern of channels."""

    name: bytes
    is_pattern: bool
    position: int


class Uses(NamedTuple):
    """The keys and channels of a command line."""

    keys: Sequence[KeyUse] = ()
    channels: Sequence[ChannelUse] = ()


def uses_of(command: Command, argv: Sequence[bytes]) -> Uses:
    """The keys and channels of a command line.

    What is not where a key spec says is none: the command itself refuses such a line.
    """
    options = command.options
    if command.handle is not None:
        try:
            return uses_in(command, arguments_of(command, argv))
        except BadBody:
            return _plain_uses(command, argv) if command.options.plain else uses_in(command, {})
    return Uses(
        [use for spec in options.keys if "not_key" not in spec.flags for use in _keys(spec, argv)],
        [use for each in options.channels for use in _channels(each, argv)],
    )


def uses_in(command: Command, body: dict[str, Any]) -> Uses:
    """The keys and channels in the body of a native command. ``position`` is their place among these."""
    options = command.options
    keys = [
        (name.encode(errors="surrogatepass"), rights_of(spec.flags), spec.patterns)
        for spec in (*options.keys, *options.key_patterns)
        if spec.names is not None and "not_key" not in spec.flags
        for name in spec.names(body)
    ]
    channels = [(name, each.patterns) for each in options.channels for name in each.channels_in(body)]
    return Uses(
        [KeyUse(name, rights, at, is_pattern) for at, (name, rights, is_pattern) in enumerate(keys, 1)],
        [ChannelUse(name, is_pattern, at) for at, (name, is_pattern) in enumerate(channels, 1)],
    )


def _plain_uses(command: Command, argv: Sequence[bytes]) -> Uses:
    """A native command with a plain argument, which may be a key."""
    if not command.options.keys:
        return Uses()
    return Uses([KeyUse(argv[1], rights_of(command.options.keys[0].flags), 1)])


def _keys(spec: KeySpec, argv: Sequence[bytes]) -> Iterable[KeyUse]:
    rights = rights_of(spec.flags if spec.flags_of is None else spec.flags_of(argv))
    try:
        return [KeyUse(argv[at], rights, at) for at in spec.positions(argv)]
    except ValueError:
        return ()


def _channels(spec: ChannelSpec, argv: Sequence[bytes]) -> Iterable[ChannelUse]:
    return [ChannelUse(name, spec.patterns, at) for at, name in enumerate(spec.channels(argv), spec.begin)]


def any_key(key: bytes) -> bool:
    """All keys are allowed."""
    return True


class Selector:
    """Commands together with keys and channels.

    ``all_commands``: every command, none taken away since. ``takes_new``: it began with all commands, so that those of a later
    version are among them. ``rules`` are the rules of commands since then, as they are shown.
    """

    __slots__ = (
        "all_channels",
        "all_commands",
        "all_keys",
        "channels",
        "commands",
        "first_args",
        "keys",
        "rules",
        "takes_new",
    )

    def __init__(self, *, all_channels: bool = False) -> None:
        self.all_commands = self.takes_new = False
        self.commands: set[Command] = set()
        self.first_args: dict[Command, list[bytes]] = {}
        self.rules: list[bytes] = []
        self.all_keys = False
        self.keys: dict[bytes, KeyPattern] = {}
        self.all_channels = all_channels
        self.channels: dict[bytes, Callable[[bytes], bool]] = {}

    def copy(self) -> Selector:
        """The same rights, to be changed by themselves."""
        copy = Selector(all_channels=self.all_channels)
        copy.all_commands, copy.takes_new, copy.all_keys = self.all_commands, self.takes_new, self.all_keys
        copy.commands, copy.rules = set(self.commands), list(self.rules)
        copy.first_args = {command: list(words) for command, words in self.first_args.items()}
        copy.keys = {each.pattern: KeyPattern(each.pattern, each.rights) for each in self.keys.values()}
        copy.channels = dict(self.channels)
        return copy

    def add_channel(self, pattern: bytes) -> None:
        """Allow the channels of a pattern."""
        self.channels.setdefault(pattern, matcher(pattern))

    @property
    def unrestricted(self) -> bool:
        """Whether it allows everything."""
        return self.all_commands and self.all_keys and self.all_channels

    @property
    def part(self) -> Part:
        """What the check on the fast path takes."""
        return Part(None if self.all_commands else self.commands, None if self.all_keys else list(self.keys.values()))

    def allows_command(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether a command may be run, whatever its keys are. Log-ins always may."""
        if self.all_commands or command in self.commands or Flag.NO_AUTH in command.flags:
            return True
        words = self.first_args.get(command)
        return words is not None and len(argv) > 1 and argv[1].lower() in words

    def allows_key(self, name: bytes, rights: int) -> bool:
        """Whether there are these rights to a key, in one pattern."""
        if self.all_keys:
            return True
        return any(each.allows(name, rights) for each in self.keys.values())

    def allows_keys(self, pattern: bytes, rights: int) -> bool:
        """Whether there are these rights to all keys of a pattern: it must be exactly one that is allowed, or a mere name."""
        if self.all_keys:
            return True
        for name in (pattern, b"*"):
            allowed = self.keys.get(name)
            if allowed is not None and allowed.rights & rights == rights:
                return True
        return _GLOB.search(pattern) is None and self.allows_key(pattern, rights)

    def allows_channel(self, name: bytes, is_pattern: bool) -> bool:
        """Whether a channel may be used. A pattern must be exactly one that is allowed."""
        if self.all_channels:
            return True
        if is_pattern:
            return name in self.channels
        return any(matches(name) for matches in self.channels.values())

    def refusal(self, command: Command, argv: Sequence[bytes], uses: Uses) -> tuple[Refusal, int] | None:
        """Why a command line may not be run, and the index of the argument that is denied."""
        if not self.allows_command(command, argv):
            return Refusal("command", command.text_name.encode()), 0
        if not self.all_keys:
            for use in uses.keys:
                if not (self.allows_keys if use.is_pattern else self.allows_key)(use.name, use.rights):
                    return Refusal("key", use.name), use.position
        if not self.all_channels:
            for each in uses.channels:
                if not self.allows_channel(each.name, each.is_pattern):
                    return Refusal("channel", each.name), each.position
        return None


class User(Account):
    """A user: how it logs in, and what it may do. ``selectors``: the first one is the root, which most rules change.

    Clients refer to it, so it is changed in place (``become``). ``version`` grows with each change.
    """

    __slots__ = ("_guard", "enabled", "nopass", "passwords", "sanitizes", "selectors", "sessions", "version")

    def __init__(self, name: str, *, all_channels: bool = False) -> None:
        super().__init__(name)
        self.enabled = False
        self.nopass = False
        self.passwords: list[str] = []  # digests, in order
        self.sanitizes = True
        self.selectors = [Selector(all_channels=all_channels)]
        # The patterns of the names of sessions to which it is confined; None: it may use all, and the numbered databases.
        self.sessions: dict[bytes, Callable[[bytes], bool]] | None = None
        self.unrestricted = False
        self.version = 0
        self._guard: Guard | None = None

    @property
    def root(self) -> Selector:
        """The selector of the rules that stand in no brackets."""
        return self.selectors[0]

    @property
    def is_open(self) -> bool:
        """Whether it can be used without logging in."""
        return self.enabled and self.nopass

    def copy(self) -> User:
        """The same user, to be changed by itself."""
        copy = User(self.name)
        copy.become(self)
        return copy

    def become(self, other: User) -> None:
        """Be as another user is, but for the name."""
        self.enabled, self.nopass, self.sanitizes = other.enabled, other.nopass, other.sanitizes
        self.passwords = list(other.passwords)
        self.selectors = [each.copy() for each in other.selectors]
        self.sessions = None if other.sessions is None else dict(other.sessions)
        self.settle()

    def settle(self) -> None:
        """Note what follows from the rights after a change."""
        self.unrestricted = self.sessions is None and any(each.unrestricted for each in self.selectors)
        self.version += 1
        self._guard = None

    @property
    def guard(self) -> Guard | None:
        """The check of its rights on the fast path, until they change; None if it may do everything."""
        if self._guard is None and not self.unrestricted:
            self._guard = Guard([each.part for each in self.selectors])
        return self._guard

    def refusal(self, command: Command, argv: Sequence[bytes]) -> Refusal | None:
        """Why it may not run a command line; None if it may."""
        if self.unrestricted:
            return None
        return self._refusal(command, argv, uses_of(command, argv))

    def refusal_of(self, command: Command, uses: Uses) -> Refusal | None:
        """Why it may not run a command with these keys and channels (``uses_in`` finds those of a native command)."""
        return None if self.unrestricted else self._refusal(command, (), uses)

    def confine(self, pattern: bytes | None) -> None:
        """Let it use the sessions whose names match a pattern, besides those it may use already; None: confine it to none."""
        self.sessions = {} if pattern is None or self.sessions is None else self.sessions
        if pattern is not None:
            self.sessions[pattern] = matcher(pattern)

    def may_enter(self, session: str | None) -> bool:
        """Whether it may use the session of a name, or the numbered databases (None)."""
        if self.sessions is None:
            return True
        return session is not None and any(matches(session.encode()) for matches in self.sessions.values())

    def _refusal(self, command: Command, argv: Sequence[bytes], uses: Uses) -> Refusal | None:
        if self.sessions is not None and command.handle is not None and Flag.ADMIN in command.flags:
            return Refusal("command", command.text_name.encode())  # it concerns all sessions
        # Redis names the command unless a selector allows it, else the last of the keys or channels that are denied.
        last = Refusal("command", command.text_name.encode())
        furthest = (_RANKS["command"], 0)
        for selector in self.selectors:
            found = selector.refusal(command, argv, uses)
            if found is None:
                return None
            refusal, position = found
            if (_RANKS[refusal.reason], position) > furthest:
                last, furthest = refusal, (_RANKS[refusal.reason], position)
        return last

    def keys_of(self, command: Command, rights: int) -> Callable[[bytes], bool] | None:
        """What tells the keys for which it may run a command and has these rights; None if it may not run the command at all.

        A selector that allows the command must allow the key, too. Sessions are not asked about.
        """
        found = [each for each in self.selectors if each.allows_command(command, ())]
        if not found:
            return None
        if any(each.all_keys for each in found):
            return any_key
        return lambda key: any(each.allows_key(key, rights) for each in found)

    def reads_all_keys(self, command: Command, argv: Sequence[bytes]) -> bool:
        """Whether it may run a command line even if that reads any key (SORT BY)."""
        uses = uses_of(command, argv)
        return any(
            selector.refusal(command, argv, uses) is None and selector.allows_keys(b"*", READ)
            for selector in self.selectors
        )

    def may_access(self, key: bytes, *, write: bool = False) -> bool:
        """Whether it may read, or write, a key that a command line does not name."""
        rights = WRITE if write else READ
        return self.unrestricted or any(selector.allows_key(key, rights) for selector in self.selectors)

    def may_listen(self, channels: Iterable[bytes], patterns: Iterable[bytes], keys: Iterable[bytes] = ()) -> bool:
        """Whether it may be subscribed to these channels and patterns, and to changes of the keys of patterns."""
        return (
            all(self._may_use(name, False) for name in channels)
            and all(self._may_use(pattern, True) for pattern in patterns)
            and all(any(selector.allows_keys(each, READ) for selector in self.selectors) for each in keys)
        )

    def _may_use(self, channel: bytes, is_pattern: bool) -> bool:
        return any(selector.allows_channel(channel, is_pattern) for selector in self.selectors)
