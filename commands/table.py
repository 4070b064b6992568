"""The command table: every command of every face, by name.

A family (one module of handlers) lists its commands; the table joins the families and
refuses duplicate names. Names are upper case; a subcommand is called ``CLIENT|LIST``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .declare import ChannelSpec, DeclarationError, Flag, KeySpec, Manual, Options, Param, Redact, read_manual
from .histogram import Histogram
from .params import ParamCheck
from .status import KEY_VALUES, Dialect

# (context, command line) -> reply value; a native handler takes (context, parsed body).
Handler = Callable[..., object]

_NO_LIMIT = 1 << 30


_NO_PARAMS = ParamCheck()


def _no_document(ctx: Any, argv: list[bytes]) -> object:
    """{"NAME": {...}}

    Runs one native command. The native face replaces this handler when the server is put together.
    """
    raise NotImplementedError("the server has no native face")


class Command:
    """One command: its declaration, its handler and its counters.

    ``run(ctx, argv)`` returns the reply value. A native command also has ``handle(ctx, body)``, for a
    body that ``rules`` has checked; its ``run`` is set by the native face. ``timed`` ones are timed
    individually, the others share their batch's time. ``times`` is the histogram of the calls' times, while
    ``tracks_times``; None before the first call.
    """

    __slots__ = (
        "calls",
        "failed",
        "handle",
        "in_keyspace",
        "manual",
        "max_args",
        "min_args",
        "name",
        "options",
        "rejected",
        "rules",
        "run",
        "subcommands",
        "timed",
        "times",
        "tracks_times",
        "usec",
    )

    def __init__(self, name: str, arity: int, run: Handler, options: Options, manual: Manual) -> None:
        self.name: str = name
        self.run: Handler = run
        self.handle: Callable[..., Any] | None = None  # returns a dict of reply members, or None for a quiet success
        self.rules: ParamCheck = _NO_PARAMS
        self.min_args: int = abs(arity)
        self.max_args: int = arity if arity > 0 else _NO_LIMIT
        self.options: Options = options
        self.manual: Manual = manual
        self.in_keyspace: bool = options.in_keyspace
        self.timed: bool = options.timed
        self.subcommands: dict[bytes, Command] | None = None
        self.calls: int = 0
        self.usec: float = 0.0
        self.rejected: int = 0
        self.failed: int = 0
        self.tracks_times: bool = False
        self.times: Histogram | None = None

    @property
    def arity(self) -> int:
        """The number of words including the name; negative: at least that many."""
        return self.max_args if self.max_args == self.min_args else -self.min_args

    @property
    def flags(self) -> Flag:
        return self.options.flags

    @property
    def params(self) -> tuple[Param, ...] | None:
        """Parameters of a native command; None for Redis commands."""
        return self.options.params

    @property
    def text_name(self) -> str:
        """The name as error texts and statistics show it: ``client|list``."""
        return self.name.lower()

    def fresh(self) -> Command:
        """The same declaration for another table, with its own counters and subcommands."""
        copy = Command(self.name, self.arity, self.run, self.options, self.manual)
        copy.min_args, copy.max_args = self.min_args, self.max_args
        copy.handle, copy.rules = self.handle, self.rules
        return copy

    def reset_counters(self) -> None:
        """Resets the statistics (CONFIG RESETSTAT)."""
        self.calls = self.rejected = self.failed = 0
        self.usec = 0.0
        self.times = None

    def took(self, ns: int, count: int) -> None:
        """Note that ``count`` calls took ``ns`` in total; calls in progress are counted elsewhere."""
        self.usec += ns / 1000
        if self.tracks_times:
            if self.times is None:
                self.times = Histogram()
            self.times.note(ns // count, count)

    def without_secrets(self, argv: list[bytes]) -> list[bytes]:
        """A command line without its secrets, for MONITOR and the slow log."""
        redact = self.options.redact
        return argv if redact is None else redact(argv)


class Family:
    """The commands of one module. ``verb`` declares Redis commands, ``native`` JSON commands."""

    def __init__(self, group: str, dialect: Dialect = KEY_VALUES, categories: tuple[str, ...] = ()) -> None:
        self.group = group
        self.dialect = dialect
        self.categories = categories  # ACL categories of all its native commands
        self.commands: list[Command] = []

    def verb(
        self,
        name: str,
        *,
        arity: int,
        flags: Flag = Flag.NONE,
        keys: KeySpec | tuple[KeySpec, ...] = (),
        channels: ChannelSpec | None = None,
        since: str = "1.0.0",
        categories: tuple[str, ...] = (),
        group: str | None = None,
        hints: tuple[str, ...] = (),
        deprecated: tuple[str, str] | None = None,
        redact: Redact | None = None,
        aliases: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated function as a Redis command (``CLIENT|LIST``: as a subcommand)."""
        options = Options(
            flags=flags,
            keys=keys if isinstance(keys, tuple) else (keys,),
            channels=() if channels is None else (channels,),
            group=group or self.group,
            since=since,
            categories=categories,
            hints=hints,
            deprecated=deprecated,
            redact=redact,
        )

        def declare(run: Handler) -> Handler:
            manual = read_manual(name, run)
            for each in (name, *aliases):
                self._add(Command(each, arity, run, options, manual))
            return run

        return declare

    def native(
        self,
        name: str,
        *,
        keys: KeySpec | tuple[KeySpec, ...],
        channels: tuple[ChannelSpec, ...] = (),
        params: tuple[Param, ...] = (),
        check: Callable[[dict[str, Any]], None] | None = None,
        in_keyspace: bool = False,
        taken: tuple[str, ...] = (),
        needs_body: bool = False,
        free_names: bool = False,
        strict: bool = False,
        flags: Flag = Flag.NONE,
        categories: tuple[str, ...] = (),
        since: str = "0.1.0",
        plain: Handler | None = None,
        redact: Redact | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated function as a native JSON command; ``plain`` runs it as a Redis command with one plain argument.

        ``params`` and then ``check`` are applied to the body before it runs, and before its token is looked at.
        Their errors are in the family's dialect. ``taken`` are optional parameters that the handler
        checks itself; with ``free_names`` the caller chooses the parameters' names. A ``strict`` command (those that NemesisDB does not
        have) refuses unknown parameters. Over RESP the body may be left out, unless a parameter is
        required or the command ``needs_body``.
        """
        given = keys if isinstance(keys, tuple) else (keys,)
        specs = tuple(spec for spec in given if not spec.patterns)
        options = Options(
            flags=flags | Flag.MOVABLEKEYS if specs else flags,
            keys=specs,
            key_patterns=tuple(spec for spec in given if spec.patterns),
            channels=channels,
            group=self.group,
            since=since,
            categories=self.categories + categories,
            params=params,
            in_keyspace=in_keyspace,
            plain=plain,
            redact=redact,
        )
        if in_keyspace and not free_names:
            taken += ("tkn",)
        rules = ParamCheck(params, self.dialect, check, taken=taken, strict=strict)
        arity = 2 if needs_body or any(param.required for param in params) else -1

        def declare(handle: Handler) -> Handler:
            command = Command(name, arity, handle, options, read_manual(name, handle))
            command.max_args = 2  # over RESP: the name and the body as JSON text
            command.handle = handle
            command.rules = rules
            self._add(command)
            return handle

        return declare

    def _add(self, command: Command) -> None:
        if command.name != command.name.upper():
            raise DeclarationError(f"{command.name}: names are declared in upper case")
        command.options.check(command.name)
        self.commands.append(command)


class CommandTable:
    """All commands by name, as copies: two servers in a process share no counters.

    Raises DeclarationError for a duplicate name or an orphaned subcommand.
    """

    def __init__(self, families: Iterable[Family]) -> None:
        self.commands: dict[bytes, Command] = {}
        self.native: dict[str, Command] = {}
        # What a line of one word that begins with a brace runs: a native request as JSON text.
        # The native face checks the command in it: whether it needs a login, and is shown in MONITOR and the slow log.
        flags = Flag.SKIP_MONITOR | Flag.SKIP_SLOWLOG | Flag.MAY_REPLICATE | Flag.NO_AUTH | Flag.LOADING
        unseen = Options(group="native", flags=flags)
        self.document = Command("{", -1, _no_document, unseen, read_manual("{", _no_document))
        declared = [command.fresh() for family in families for command in family.commands]
        for command in declared:
            if "|" not in command.name:
                self._enter(self.commands, command.name.encode(), command)
                if command.handle is not None:
                    self.native[command.name] = command
        for command in declared:
            container, _, sub = command.name.partition("|")
            if sub:
                owner = self.commands.get(container.encode())
                if owner is None:
                    raise DeclarationError(f"{command.name}: {container} is not declared")
                owner.subcommands = owner.subcommands or {}
                self._enter(owner.subcommands, sub.encode(), command)

    @staticmethod
    def _enter(names: dict[bytes, Command], name: bytes, command: Command) -> None:
        if name in names:
            raise DeclarationError(f"{command.name}: declared twice")
        names[name] = command

    def __iter__(self) -> Iterator[Command]:
        """Top-level commands; their subcommands are in ``subcommands``."""
        return iter(self.commands.values())

    def everything(self) -> Iterator[Command]:
        """Commands and subcommands."""
        for command in self.commands.values():
            yield command
            if command.subcommands:
                yield from command.subcommands.values()

    def find(self, argv: Sequence[bytes]) -> Command | None:
        """The command (or subcommand) of a command line, in any letter case; None if there is none.

        A container alone, or with an unknown subcommand, gives None unless it runs by itself.
        """
        if len(argv) == 1 and argv[0].startswith(b"{"):
            return self.document
        command = self.commands.get(argv[0].upper())
        if command is None or command.subcommands is None:
            return command
        if len(argv) > 1:
            sub = command.subcommands.get(argv[1].upper())
            if sub is not None:
                return sub
        return command

    def by_name(self, name: str) -> Command | None:
        """The command with a name such as ``get`` or ``client|list``, in any letter case."""
        words = name.upper().encode().split(b"|", 1)
        command = self.find(words)
        return None if len(words) > 1 and command is self.commands.get(words[0]) else command

    def fast(self) -> dict[bytes, Command]:
        """Names in upper and lower case of the commands that the read loop may call directly."""
        plain = {name: command for name, command in self.commands.items() if command.subcommands is None}
        return plain | {name.lower(): command for name, command in plain.items()}
