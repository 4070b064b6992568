"""Scripts and functions: their caches, how they run commands, and what holds while one runs.

The language itself is ``januskv.lua``, which is loaded with the first script. A script runs at once and as a whole: nobody
else is served meanwhile, and what it changes is one record of the log. One that runs long (``busy-reply-threshold``) lets others be told BUSY
(``busy.py``), who may end it.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from januskv.commands.declare import Flag
from januskv.resp.replies import ErrorReply, Reply

from .busy import Busy
from .client_context import ClientContext
from .core import REDIS_VERSION, REDIS_VERSION_NUM, Core
from .dispatch import Dispatcher
from .faults import RespError
from .scripting_state import Running

if TYPE_CHECKING:
    from januskv.commands.table import Command, CommandTable
    from januskv.lua import Function, Library, LuaEngine, Script
    from januskv.storage.feed import Feed

    from .state import State

log = logging.getLogger("januskv")

# Scripts of EVAL that are kept; those of SCRIPT LOAD stay.
MOST_EVALUATED: Final = 500
_SHORT: Final = 4096
# Bytes for scripts, and as many for functions.
MOST_MEMORY: Final = 512 << 20
_LEVELS: Final = {0: logging.DEBUG, 1: logging.INFO, 2: logging.INFO, 3: logging.WARNING}
_NOT_INSTALLED: Final = "ERR Scripts need the package lupa, which is not installed"
NO_SCRIPT: Final = "NOSCRIPT No matching script. Please use EVAL."
_NO_WRITES: Final = "no-writes"
KILLED: Final = "Script killed by user with "


class _Rules:
    """What the flags of a command mean for scripts."""

    __slots__ = ("forbidden", "spreads", "writes")

    def __init__(self, flags: Flag) -> None:
        self.forbidden = bool(flags & (Flag.CONNECTION | Flag.NOSCRIPT))
        self.writes = Flag.WRITE in flags
        self.spreads = self.writes or Flag.MAY_REPLICATE in flags  # Redis would send it to replicas


class Scripting:
    """The scripts and functions of a server."""

    def __init__(self, core: Core, dispatcher: Dispatcher, busy: Busy) -> None:
        self.version = REDIS_VERSION
        self.version_num = REDIS_VERSION_NUM
        self.core = core
        self.table: CommandTable = core.table
        self.state: State = core.state
        self.fast = core.state.fast  # empty while the server is in a special state
        self.feed: Feed = core.store.feed
        self.databases = core.store.databases
        self.dispatcher = dispatcher
        self.busy = busy
        self.loaded: dict[bytes, Script] = {}  # by SHA-1, as SCRIPT LOAD has made them
        self.evaluated: OrderedDict[bytes, Script] = OrderedDict()
        self.evicted = 0
        self._hashes: dict[bytes, bytes] = {}  # SHA-1 of texts: looking one up takes a tenth of the time
        self.running: Running | None = None
        self._context: ClientContext | None = None  # of all scripts, one after the other
        self._rules: dict[Command, _Rules] = {}
        self.libraries: dict[str, Library] = {}
        self.functions: dict[str, Function] = {}  # by their names in lower case
        self._version = 0  # of the store's libraries that ``libraries`` are made of
        self._engine: LuaEngine | None = None

    @property
    def engine(self) -> LuaEngine:
        """The interpreter. Raises RespError where it is not installed."""
        if self._engine is None:
            self._engine = _lua().LuaEngine(self, max_memory=MOST_MEMORY)
        return self._engine

    # ------------------------------------------------------------ scripts

    def script_of(self, body: bytes) -> tuple[bytes, Script]:
        """The SHA-1 of a script's text, and the script. Raises RespError where it cannot be compiled."""
        sha = self._hashes.get(body)
        if sha is None:
            sha = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
            if len(body) <= _SHORT:
                if len(self._hashes) >= MOST_EVALUATED:
                    self._hashes.clear()
                self._hashes[body] = sha
        script = self.find(sha)
        if script is None:
            script = self.compile(body)
            if len(self.evaluated) >= MOST_EVALUATED:
                self.evaluated.popitem(last=False)
                self.evicted += 1
            self.evaluated[sha] = script
        return sha, script

    def find(self, sha: bytes) -> Script | None:
        """The script with a SHA-1 in lower case."""
        script = self.loaded.get(sha)
        if script is None:
            script = self.evaluated.get(sha)
            if script is not None:
                self.evaluated.move_to_end(sha)
        return script

    def load(self, body: bytes) -> bytes:
        """Keep a script; its SHA-1. Raises RespError where it cannot be compiled."""
        sha, script = self.script_of(body)
        self.evaluated.pop(sha, None)
        self.loaded[sha] = script
        return sha

    def compile(self, body: bytes) -> Script:
        """A script of a text. Raises RespError."""
        engine = self.engine
        try:
            return engine.compile(body)
        except _lua().ScriptError as error:
            raise RespError(_text(error)) from None

    def forget(self) -> None:
        """Forget all scripts."""
        self.loaded.clear()
        self.evaluated.clear()

    def eval(
        self,
        ctx: ClientContext,
        argv: list[bytes],
        sha: bytes,
        script: Script,
        words: tuple[list[bytes], list[bytes]],
        read_only: bool,
    ) -> Reply:
        """Run a script with its keys and arguments. Raises RespError."""
        if script.flags is not None:
            read_only = self._check_flags(script.flags, read_only)
        engine = self._engine
        assert engine is not None  # it has compiled the script
        before = self._begin(b"", argv, ctx, read_only)
        try:
            return engine.run(script, words[0], words[1], sha)
        except _lua().ScriptError as error:
            raise RespError(_text(error), counted=error.of_command) from None
        finally:
            self._end(before)

    def _check_flags(self, flags: frozenset[str], read_only: bool) -> bool:
        """Whether a script with these flags may only read. Raises RespError where it may not run."""
        if read_only and _NO_WRITES not in flags:
            raise RespError("ERR Can not execute a script with write flag using *_ro command.")
        fault = self.state.write_fault
        if fault and _NO_WRITES not in flags:
            raise RespError(f"MISCONF {fault}")
        return read_only or _NO_WRITES in flags

    def _begin(self, name: bytes, argv: list[bytes], ctx: ClientContext, read_only: bool) -> bool:
        """Have a script or function as the one that runs; what ``_end`` needs. Raises RespError."""
        if self.running is not None:
            raise RespError("ERR A script cannot run another one")
        context, user = self._context, ctx.caller.user
        if context is None:
            context = self._context = ctx.for_script()
        elif user is not context.caller.user:
            context.caller.user = user
        context.keyspace = ctx.keyspace
        self.running = Running(name, argv, ctx.client, context, None if user.unrestricted else user, read_only)
        before = self.feed.undivided
        self.feed.undivided = True
        return before

    def _end(self, before: bool) -> None:
        running = self.running
        assert running is not None
        if running.failed and (command := self.table.find(running.argv)) is not None:
            self.core.accounts.failed(command)
        self.running = None
        running.context.keyspace = self.databases[0]  # a session's is not to be kept for long
        self.feed.undivided = before
        if not self.fast:
            self.busy.end()

    # ------------------------------------------------------------ functions

    def sync(self) -> None:
        """Make functions of the libraries that the store has, after they were loaded with the data."""
        stored = self.core.store.libraries
        if self._version == stored.version:
            return
        self.libraries, self.functions = {}, {}
        for code in stored.code.values():
            try:
                self._add(self.engine.load_library(code))
            except Exception:
                log.exception("a library of functions that was stored cannot be loaded")
        self._version = stored.version

    def _add(self, library: Library) -> None:
        self.libraries[library.name] = library
        self.functions.update({name.lower(): function for name, function in library.functions.items()})

    def library_of(self, code: bytes, *, replace: bool = True) -> Library:
        """A library of its code. Raises RespError; without ``replace`` also where there is one of that name."""
        engine, lua = self.engine, _lua()
        try:
            if not replace:
                self.sync()
                self._check_free(lua.library_name(code)[0])
            return engine.load_library(code)
        except lua.ScriptError as error:
            raise RespError(_text(error)) from None

    def _check_free(self, name: str) -> None:
        if name in self.libraries:
            raise RespError(f"ERR Library '{name}' already exists")

    def put_library(self, library: Library, *, replace: bool) -> None:
        """Have a library and its functions. Raises RespError where a name is taken."""
        self.restore([library], replace=replace)

    def restore(self, libraries: Sequence[Library], *, replace: bool = False, flush: bool = False) -> None:
        """Have libraries and their functions: in place of those with their names, or of all. Raises RespError where a name is taken."""
        self.sync()
        held = {} if flush else dict(self.libraries)
        functions = {} if flush else dict(self.functions)
        for library in libraries:
            old = held.pop(library.name, None)
            if old is not None and not replace:
                raise RespError(f"ERR Library {library.name} already exists")
            for name in () if old is None else old.functions:
                del functions[name.lower()]
            for name, function in library.functions.items():
                if name.lower() in functions:
                    raise RespError(f"ERR Function {name} already exists")
                functions[name.lower()] = function
            held[library.name] = library
        if flush:
            self.core.store.libraries.clear()
        for library in libraries:
            self.core.store.libraries.put(library.name.encode(), library.code)
        self.libraries, self.functions = held, functions
        self._version = self.core.store.libraries.version

    def remove_library(self, name: str) -> None:
        """Remove a library. Raises RespError where there is none."""
        self.sync()
        library = self.libraries.get(name)
        if library is None:
            raise RespError("ERR Library not found")
        self._drop(library)
        self.core.store.libraries.remove(name.encode())
        self._version = self.core.store.libraries.version

    def _drop(self, library: Library) -> None:
        del self.libraries[library.name]
        for name in library.functions:
            del self.functions[name.lower()]

    def clear_libraries(self) -> None:
        """Remove all libraries."""
        self.libraries, self.functions = {}, {}
        self.core.store.libraries.clear()
        self._version = self.core.store.libraries.version

    def call_function(
        self,
        ctx: ClientContext,
        argv: list[bytes],
        name: str,
        words: tuple[list[bytes], list[bytes]],
        read_only: bool,
    ) -> Reply:
        """Call a function with its keys and arguments. Raises RespError."""
        function = self.functions[name]
        read_only = self._check_flags(function.flags, read_only)
        before = self._begin(name.encode(), argv, ctx, read_only)
        try:
            return self.engine.call_function(function, words[0], words[1])
        except _lua().ScriptError as error:
            raise RespError(_text(error), counted=error.of_command) from None
        finally:
            self._end(before)

    # ------------------------------------------------------------ what scripts ask for

    def call(self, argv: list[bytes]) -> Reply:
        """Run a command for the script that runs."""
        running = self.running
        assert running is not None
        command = self.fast.get(argv[0])
        if command is None:
            command = self.table.find(argv)
        fault = self._fault(running, command, argv)
        if fault is not None:
            if command is not None and command.subcommands is None:
                self.core.accounts.rejected(command)
            self.core.accounts.error(fault)
            return ErrorReply(fault)
        assert command is not None
        reply = self.dispatcher.execute(running.context, command, argv)
        client = running.client
        if client is not None and client.tracking is not None:
            self.dispatcher.tracking.note_read(client, command, argv)
        return reply

    def _fault(self, running: Running, command: Command | None, argv: list[bytes]) -> str | None:
        """Why a script may not run a command. One that may write is noted."""
        if command is None or _is_unknown_part(command, argv):
            return "ERR Unknown Redis command called from script"
        if not command.min_args <= len(argv) <= command.max_args:
            return "ERR Wrong number of args calling Redis command from script"
        rules = self._rules.get(command)
        if rules is None:
            rules = self._rules[command] = _Rules(command.flags)
        if rules.forbidden:
            return "ERR This Redis command is not allowed from script"
        user = running.user
        if user is not None:
            denied = user.refusal(command, argv)
            if denied is not None:
                text = self.dispatcher.denied(running.client, denied, "lua", running.context.caller.user_name)
                return text.replace("NOPERM ", "NOPERM ACL failure in script: ", 1)
        if rules.spreads and running.read_only:
            return "ERR Write commands are not allowed from read-only scripts."
        if not self.fast:
            fault = self.dispatcher.refusal_of_state(None, [command])
            if fault is not None:
                return fault
        if rules.writes:
            running.wrote = True
        return None

    def log(self, level: int, message: bytes) -> None:
        """Write a line of a script's to the log."""
        log.log(_LEVELS[level], "script: %s", message.decode(errors="backslashreplace"))

    def acl_check(self, argv: list[bytes]) -> bool:
        """Whether the script may run a command. Raises RespError for one that there is not."""
        command = self.table.find(argv)
        if command is None or _is_unknown_part(command, argv):
            raise _lua().CommandError("ERR Invalid command passed to redis.acl_check_cmd()")
        running = self.running
        assert running is not None
        return running.context.caller.user.refusal(command, argv) is None

    def replied(self, text: bytes, of_command: bool) -> None:
        """Count an error in the result of the script. One that a command had as reply was counted when the command ran."""
        assert self.running is not None
        self.running.failed = True
        if not of_command:
            # Without a space among the first bytes there is no code word.
            self.core.accounts.error(text.decode("utf-8", "surrogateescape") if b" " in text[:31] else "ERR")

    def set_resp(self, version: int) -> None:
        """Replies are to be those of a version of the protocol: the engine converts them itself."""

    def tick(self) -> None:
        """Look after the script that runs. Raises Killed where it is to end."""
        running = self.running
        if running is None:
            return
        if running.spent_ms >= self.core.config.busy_reply_threshold > 0:
            if not running.told:
                running.told = True
                log.warning("a script has run for %d ms; it can be ended by %s KILL", running.spent_ms, running.kind)
            self.busy.serve(running, busy_text(running))
        if running.killed:
            raise _lua().Killed(f"ERR {KILLED}{running.kind} KILL...")

    def kill(self, kind: str) -> None:
        """End the script that runs. Raises RespError where it may not be ended."""
        running = self.running
        if running is None:
            raise RespError("NOTBUSY No scripts in execution right now.")
        if running.kind != kind:
            raise RespError(busy_text(running))
        if running.wrote:
            raise RespError(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the"
                " script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
            )
        running.killed = True


def _is_unknown_part(command: Command, argv: list[bytes]) -> bool:
    """Whether a line names a subcommand that its container does not have."""
    return command.subcommands is not None and len(argv) > 1 and argv[1].upper() not in command.subcommands


def busy_text(running: Running) -> str:
    """What others are told while a script runs."""
    return f"BUSY Redis is busy running a script. You can only call {running.kind} KILL or SHUTDOWN NOSAVE."


def _text(error: Any) -> str:
    """The text of an error of the language."""
    text: bytes = error.text
    return text.decode("utf-8", "surrogateescape")


def _lua() -> Any:
    """The module of the language. Raises RespError where the interpreter is not installed."""
    try:
        return importlib.import_module("januskv.lua")
    except ImportError:
        raise RespError(_NOT_INSTALLED) from None
