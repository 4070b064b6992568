"""How a command is declared: flags, key positions, and the manual page in its docstring.

Everything that other parts need to know about a command (arity errors, COMMAND, ACL categories, MULTI,
the docs pages) comes from the declaration beside its handler.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final


class Flag(enum.Flag):
    """Properties of a command. COMMAND shows those in SHOWN_FLAGS; those after ALLOW_BUSY are ours."""

    WRITE = enum.auto()
    READONLY = enum.auto()
    DENYOOM = enum.auto()
    MODULE = enum.auto()  # from a Redis module that is built in here
    ADMIN = enum.auto()
    PUBSUB = enum.auto()
    NOSCRIPT = enum.auto()
    BLOCKING = enum.auto()
    LOADING = enum.auto()
    STALE = enum.auto()
    SKIP_MONITOR = enum.auto()
    SKIP_SLOWLOG = enum.auto()
    FAST = enum.auto()
    NO_AUTH = enum.auto()
    MAY_REPLICATE = enum.auto()
    NO_MANDATORY_KEYS = enum.auto()
    MOVABLEKEYS = enum.auto()
    NO_MULTI = enum.auto()
    PROTECTED = enum.auto()
    TOUCHES_ARBITRARY_KEYS = enum.auto()
    NO_ASYNC_LOADING = enum.auto()
    ALLOW_BUSY = enum.auto()

    NO_QUEUE = enum.auto()  # runs at once inside MULTI: EXEC, DISCARD, WATCH ...
    COMMITS = enum.auto()  # EXEC: runs what was queued
    SUBSCRIBED = enum.auto()  # allowed for a subscribed RESP2 client
    HEALTH = enum.auto()  # PING: refused when writes are, so that monitoring notices
    QUICK = enum.auto()  # constant time although Redis does not call it fast: not timed individually
    CONNECTION = enum.auto()  # about its connection: needs one
    ABOUT_CLIENTS = enum.auto()  # CLIENT: runs during a pause, and does not end CLIENT CACHING
    TOUCHES = enum.auto()  # TOUCH: counts as an access, whatever CLIENT NO-TOUCH says
    NONE = 0


_HIDDEN = Flag.PROTECTED | Flag.TOUCHES_ARBITRARY_KEYS | Flag.MAY_REPLICATE
SHOWN_FLAGS = tuple(flag for flag in Flag if flag.value <= Flag.ALLOW_BUSY.value and flag not in _HIDDEN)


# A command line without its secrets.
Redact = Callable[[Sequence[bytes]], list[bytes]]
REDACTED = b"(redacted)"

# The number of keys, as C's atoi reads it: the command itself reads it more strictly.
_LEADING_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]{1,9})")


class DeclarationError(Exception):
    """A command is declared wrongly. Raised while the table is built, so the server does not start."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where a command's keys stand among its arguments, and what it does to them (Redis' key specs).

    Begin: the index ``begin``, or ``keyword`` searched from index ``begin`` on (from the end if negative).
    Range: up to ``last`` (relative to the first key; negative: from the end) in steps of ``step``,
    divided by ``limit`` (0 and 1: all). With ``numkeys`` the first argument of the range is the number of keys.
    """

    begin: int = 1
    last: int = 0
    step: int = 1
    limit: int = 0
    keyword: str | None = None
    numkeys: bool = False
    flags: tuple[str, ...] = ("RW",)
    notes: str = ""
    # Where the flags depend on the arguments: computes them for a command line.
    flags_of: Callable[[Sequence[bytes]], tuple[str, ...]] | None = None
    # Where keys can be anywhere: finds them in a command line. COMMAND calls such a position unknown.
    search: Callable[[Sequence[bytes]], Iterable[int]] | None = None
    # Native commands: finds the names of the keys in the body. COMMAND calls such a position unknown too.
    names: Callable[[dict[str, Any]], Iterable[str]] | None = None
    # Native commands: the names are glob patterns, and a user needs the right to all keys that match. COMMAND does not show these.
    patterns: bool = False

    def positions(self, argv: Sequence[bytes]) -> Iterator[int]:
        """Yield the indexes of the keys in a command line. Raises ValueError for a malformed one."""
        if self.search is not None:
            yield from self.search(argv)
            return
        size = len(argv)
        first = self.begin
        if self.keyword is not None:
            keyword_index = self._find_keyword(argv)
            if keyword_index is None:
                return
            first = keyword_index + 1
        if self.numkeys:
            if first >= size:
                raise ValueError("no number of keys")
            number = _LEADING_NUMBER.match(argv[first])
            count = -1 if number is None else int(number[1])
            if count < 0 or first + count * self.step >= size:
                raise ValueError("number of keys")
            yield from range(first + 1, first + 1 + count * self.step, self.step)
            return
        if first >= size:
            return
        end = first + self.last if self.last >= 0 else size + self.last
        if self.last == -1 and self.limit > 1:
            end = first + (size - first) // self.limit - 1
        if end >= size:
            raise ValueError("missing key")
        yield from range(first, end + 1, self.step)

    def _find_keyword(self, argv: Sequence[bytes]) -> int | None:
        assert self.keyword is not None
        word = self.keyword.encode()
        if self.begin >= 0:
            indexes: Iterator[int] = iter(range(self.begin, len(argv)))
        else:
            indexes = iter(range(len(argv) + self.begin, 0, -1))
        return next((i for i in indexes if argv[i].upper() == word), None)


def key(*flags: str, begin: int = 1, last: int = 0, step: int = 1, limit: int = 0, **more: Any) -> KeySpec:
    """A key spec by index: ``key("RO", "access")`` is one key as first argument."""
    return KeySpec(begin=begin, last=last, step=step, limit=limit, flags=flags, **more)


def member(name: str, *flags: str) -> KeySpec:
    """The key spec of a native command: a parameter holds a name, an array of names, or an object with names as members.

    Items of an array that are not text name no key, as in the commands themselves.
    """

    def names(body: dict[str, Any]) -> Iterable[str]:
        value: Any = body.get(name)
        if type(value) is str:
            return (value,)
        return [each for each in value if type(each) is str] if type(value) in (list, dict) else ()

    return KeySpec(flags=flags, names=names, notes=f"The keys are named by '{name}' in the JSON object")


def member_patterns(name: str, *flags: str) -> KeySpec:
    """Like ``member`` for a parameter with glob patterns: all keys that they match count."""
    return replace(member(name, *flags), patterns=True)


def all_keys(*flags: str, unless: str = "") -> KeySpec:
    """That a native command reads or changes any key of a keyspace, so that it takes the right to all of them.

    ``unless``: a parameter that names the keys instead, if it is there and not empty.
    """
    return KeySpec(flags=flags, names=lambda body: () if unless and body.get(unless) else ("*",), patterns=True)


def all_members(*flags: str) -> KeySpec:
    """The key spec of a native command whose body has a member for each key. A numeric token is not a key."""

    def names(body: dict[str, Any]) -> Iterable[str]:
        return [name for name, entry in body.items() if name != "tkn" or type(entry) is dict]

    return KeySpec(flags=flags, names=names, notes="The keys are the members of the JSON object, but 'tkn'")


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """Where a command names channels of Pub/Sub: its arguments from ``begin`` on, all or the first one.

    ``patterns``: they are glob patterns, which a user may listen to only if exactly this pattern is allowed.
    """

    begin: int = 1
    several: bool = True
    patterns: bool = False
    # Native commands: the name of the member that holds a channel, or an array of them.
    member: str = ""

    def channels(self, argv: Sequence[bytes]) -> Sequence[bytes]:
        """The channels in a command line."""
        return argv[self.begin :] if self.several else argv[self.begin : self.begin + 1]

    def channels_in(self, body: dict[str, Any]) -> list[bytes]:
        """The channels in the body of a native command."""
        value: Any = body.get(self.member)
        names = value if type(value) is list else [value]
        return [name.encode() for name in names if type(name) is str]


# The key specs of a native command that is not about keys: it concerns sessions or the server.
NO_KEYS: Final[tuple[KeySpec, ...]] = ()


@dataclass(frozen=True, slots=True)
class Manual:
    """The manual page of a command, from its handler's docstring.

    The first paragraph is the usage line, the second begins with the summary (one sentence); a line
    ``Cost: ...`` gives the complexity, a line ``Differs: ...`` how ours differs from the original.
    """

    usage: str
    summary: str
    cost: str
    differs: str
    text: str


def read_manual(name: str, run: Callable[..., object]) -> Manual:
    """Parse the docstring. Raises DeclarationError if it has no usage line or no summary."""
    doc = inspect.getdoc(run)
    if not doc:
        raise DeclarationError(f"{name}: a handler needs a docstring")
    paragraphs = [re.sub(r"\s*\n\s*", " ", part).strip() for part in re.split(r"\n\s*\n", doc)]
    if len(paragraphs) < 2:
        raise DeclarationError(f"{name}: the docstring needs a usage line, a blank line and a summary")
    usage, summary = paragraphs[0], paragraphs[1].split(". ")[0].rstrip(".") + "."
    if usage.split(" ")[0].strip('{"') != name.split("|")[0] and not usage.startswith("{"):
        raise DeclarationError(f"{name}: the usage line begins with {usage.split(' ')[0]!r}")
    return Manual(usage, summary, _labelled("Cost", doc), _labelled("Differs", doc), "\n\n".join(paragraphs[1:]))


def _labelled(label: str, doc: str) -> str:
    found = re.search(rf"^\s*{label}: (.*?)(?=\n\s*\n|\n\s*[A-Z][a-z]+: |\Z)", doc, re.S | re.M)
    return re.sub(r"\s*\n\s*", " ", found[1]).strip() if found else ""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a native command: its JSON type, and whether it is required.

    ``kind`` is one of the names in params.KINDS; ``any`` accepts every type. With ``empty_text`` the
    value must not be empty; this is the error text.
    """

    name: str
    kind: str
    required: bool = True
    empty_text: str | None = None


@dataclass(slots=True)
class Options:
    """The rest of a declaration besides name, arity and handler."""

    flags: Flag = Flag.NONE
    keys: tuple[KeySpec, ...] = ()
    group: str = "generic"
    since: str = "1.0.0"
    categories: tuple[str, ...] = ()
    channels: tuple[ChannelSpec, ...] = ()  # those that a user needs a right for
    key_patterns: tuple[
        KeySpec, ...
    ] = ()  # native: the keys that are not named one by one; a user needs a right for them too
    params: tuple[Param, ...] | None = None
    in_keyspace: bool = False  # native: acts in a keyspace, and takes a session's token as ``tkn``
    hints: tuple[str, ...] = ()
    deprecated: tuple[str, str] | None = None  # since which version, what replaces it
    plain: Callable[[Any, list[bytes]], Any] | None = None  # native: runs it over RESP if its argument is not an object
    redact: Redact | None = None  # hides secrets in a command line before MONITOR or the slow log show it
    # Whether each call is timed by itself. A blocked command is examined as the running one, so it never shares its time.
    timed: bool = field(init=False)

    def __post_init__(self) -> None:
        self.timed = not self.flags & (Flag.FAST | Flag.QUICK) or Flag.BLOCKING in self.flags

    def check(self, name: str) -> None:
        """Raise DeclarationError if parts of the declaration contradict each other."""
        if Flag.WRITE in self.flags and Flag.READONLY in self.flags:
            raise DeclarationError(f"{name}: WRITE and READONLY exclude each other")
        if self.keys and not self.flags & (Flag.WRITE | Flag.READONLY | Flag.NOSCRIPT | Flag.ADMIN | Flag.FAST):
            raise DeclarationError(f"{name}: a command with keys is WRITE or READONLY")
        for spec in (*self.keys, *self.key_patterns):
            if not spec.flags or spec.flags[0] not in ("RO", "RW", "OW", "RM", "not_key"):
                raise DeclarationError(f"{name}: a key spec begins with RO, RW, OW, RM or not_key")
