"""Scripts: Lua 5.1 with what Redis gives to scripts, and nothing else.

The engine knows nothing of servers, clients and keyspaces: what scripts may ask of the outside is a ``Host``.
Scripts and functions have a runtime each, so that a script that uses up the memory does not take along what the libraries of
functions keep. No Python object ever gets to a script, and no exception leaves through one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

from lupa.lua51 import LuaError, LuaMemoryError, LuaRuntime

from januskv.resp.replies import Reply

from . import libraries, patterns
from .bridge import Bridge, BridgeError, bridge_to
from .bytecode import without_library_tail_calls
from .errors import CommandError, Killed, ScriptError
from .metadata import FLAGS, library_name, script_flags
from .tokens import CHUNK, ERROR, EXPECTED, FAILED, MORE, TRUE, VALUES, from_lua, number_text, size_of, to_lua, whole

_FOLDER = Path(__file__).parent
_OUT_OF_MEMORY: Final = b"not enough memory"
# Values come into Lua outside of its protected calls: this much must be free, besides the values.
_RESERVE: Final = 1 << 20
_LOAD_SECONDS: Final = 0.5
# Replies nested deeper than this are cut off.
DEEPEST: Final = 200
_MANY_ARGUMENTS: Final = 1000


class Host(Protocol):
    """What scripts may ask of the outside."""

    version: str
    version_num: int

    def call(self, argv: list[bytes]) -> Reply:
        """Run a command. Errors are replies."""

    def log(self, level: int, message: bytes) -> None:
        """Write to the server's log; levels from 0, debug, to 3, warning."""

    def acl_check(self, argv: list[bytes]) -> bool:
        """Whether the caller may run this command. Raises CommandError for one that does not exist."""

    def replied(self, text: bytes, of_command: bool) -> None:
        """The result of the script is this error, or has it inside. ``of_command``: the reply to a command of the script was it."""

    def set_resp(self, version: int) -> None:
        """Replies to commands have the form of this version of RESP from here on."""

    def tick(self) -> None:
        """Called from time to time while a script runs. Raises Killed to end it."""


class Script:
    """A compiled script. ``flags`` is None for one without a first line that gives some."""

    __slots__ = ("_body", "_chunk", "_runtime", "flags", "name")

    def __init__(self, chunk: bytes, name: str, flags: frozenset[str] | None) -> None:
        self._chunk = chunk
        self.name = name
        self.flags = flags
        self._runtime: _Runtime | None = None
        self._body: Any = None

    def body(self, runtime: _Runtime) -> Any:
        """The Lua function, in this runtime."""
        if self._runtime is not runtime:
            self._body = runtime.body(runtime.interface[b"script"](self._chunk))
            self._runtime = runtime
        return self._body


class Function:
    """A function that a library has registered."""

    __slots__ = ("body", "description", "flags", "library", "name", "runtime")

    library: Library

    def __init__(
        self, name: str, description: bytes | None, flags: frozenset[str], body: Any, runtime: _Runtime
    ) -> None:
        self.name = name
        self.description = description
        self.flags = flags
        self.body = body
        self.runtime = runtime


class Library:
    """A library of functions, loaded."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: str, code: bytes, functions: dict[str, Function]) -> None:
        self.name = name
        self.code = code
        self.functions = functions
        for each in functions.values():
            each.library = self


def text_of(error: Exception) -> bytes:
    """What Lua says of an error outside of scripts: the memory was used up, or the script was killed."""
    if isinstance(error, LuaMemoryError):
        return _OUT_OF_MEMORY
    if isinstance(error, BridgeError):
        return error.text
    return str(error).partition("\n")[0].encode("utf-8", "surrogateescape")


def _captures_alone(text: bytes, found: patterns.Match) -> list[bytes | int]:
    start, end, captures = found
    return captures or [text[start - 1 : end]]


class _Runtime:
    """One Lua state, with the sandbox in it."""

    def __init__(self, host: Host, max_memory: int | None) -> None:
        self._host = host
        self._limit = max_memory
        self._rest: list[Any] = []
        self._taken: list[Any] = []
        self._scans: dict[int, Iterator[Any]] = {}
        self._three = False
        self.failure: BaseException | None = None
        self.deadline: float | None = None
        self._over = False
        lua = LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            max_memory=None if max_memory is None else 0,
        )
        self.lua = lua
        self.bridge: Bridge | None = bridge_to(lua, host.call, self._converted, max_memory)
        load = lua.eval(b"loadstring")
        make_libraries = self._chunk(load, "libraries.lua")
        sandbox = self._chunk(load, "sandbox.lua")
        self._interface: Any = sandbox(lua.table_from(self._callbacks()), make_libraries)
        self.run: Any = self.interface[b"run"]
        self.call: Any = self.interface[b"call"]
        if self.bridge is not None:
            self.bridge.connect(self.interface)

    @property
    def interface(self) -> Any:
        """The functions of the sandbox, by name. What is asked of Lua between scripts must not fail for want of memory."""
        if self.bridge is not None and self.bridge.limited:
            self.bridge.release()
        return self._interface

    def _chunk(self, load: Any, name: str) -> Any:
        body = load((_FOLDER / name).read_bytes(), b"=januskv")
        if type(body) is tuple:
            raise RuntimeError(body[1])
        return body

    # ------------------------------------------------------------ what Lua calls

    def _callbacks(self) -> dict[bytes, Any]:
        table: dict[bytes, Any] = {
            b"version": self._host.version.encode(),
            b"version_num": self._host.version_num,
            b"flags": b"," + b",".join(sorted(flag.encode() for flag in FLAGS)) + b",",
            b"deepest": DEEPEST,
            b"tick": self._tick,
            b"over": lambda: self._over,
            b"call": self._call,
            b"command": None if self.bridge is None else self.bridge.command,
            b"unpack_one": None if self.bridge is None else self.bridge.unpack,
            b"encode_common": None if self.bridge is None else self.bridge.encode,
            b"more": self._more,
            b"take": self._take,
        }
        for operation, function in libraries.BIT.items():
            table[b"bit_" + operation.encode()] = self._guarded(function)
        for name, callback in (
            (b"acl_check", self._acl_check),
            (b"log", self._host.log),
            (b"replied", self._host.replied),
            (b"set_resp", self._set_resp),
            (b"sha1hex", lambda text: hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()),
            (b"struct_pack", self._struct_pack),
            (b"struct_unpack", self._struct_unpack),
            (b"struct_size", libraries.struct_size),
            (b"pack", self._pack),
            (b"unpack", self._unpack),
            (b"find", self._find),
            (b"match", self._match),
            (b"is_sound", patterns.is_sound),
            (b"scan", self._scan),
            (b"next_match", self._next_match),
        ):
            table[name] = self._guarded(callback)
        return table

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its exceptions made errors of the script."""

        def callback(*given: Any) -> Any:
            try:
                value = function(*given)
                return self._fits(value) if type(value) in (bytes, tuple) else value
            except libraries.LibraryError as error:
                return (True, ERROR, error.position, error.text)
            except libraries.ArgumentType as error:
                return (True, EXPECTED, error.position, error.wanted)
            except patterns.PatternError as error:
                return (True, ERROR, str(error).encode())
            except BaseException as error:
                return self._excepted(error)

        return callback

    def _broken(self, error: BaseException) -> Any:
        # Raised again when Lua has come back.
        self.failure = error
        return (True, FAILED, b"ERR internal error")

    def _fits(self, value: Any) -> Any:
        if self._limit is not None and self.lua.get_memory_used() + size_of(value) + _RESERVE > self._limit:
            return (True, FAILED, b"ERR " + _OUT_OF_MEMORY)
        return value

    def _tick(self) -> Any:
        try:
            if self.deadline is not None:
                if time.monotonic() > self.deadline:
                    return b"ERR FUNCTION LOAD timeout"
                return False
            self._host.tick()
        except Killed as error:
            return error.text
        except BaseException as error:
            self.failure = error
            return b"ERR internal error"
        return False

    def _call(self, *given: Any) -> Any:
        try:
            argv = self._all(given)
            for i, each in enumerate(argv):
                if type(each) is not bytes:
                    argv[i] = b"%d" % each if type(each) is int else number_text(each)
            return self._value(self._host.call(argv), self._three)
        except BaseException as error:
            return self._excepted(error)

    def _converted(self, reply: Any, three: bool) -> Any:
        """A reply, or an exception in its place, as a plain value or tokens."""
        try:
            return self._excepted(reply) if isinstance(reply, BaseException) else self._value(reply, three)
        except BaseException as error:
            return self._excepted(error)

    def _value(self, reply: Reply, three: bool) -> Any:
        value = to_lua(reply, three)
        if self._limit is not None:
            value = self._fits(value)
        if type(value) is tuple and len(value) > CHUNK:
            self._rest = list(value)
            return (True, MORE)
        return value

    def _excepted(self, error: BaseException) -> Any:
        return (True, FAILED, error.text) if isinstance(error, Killed) else self._broken(error)

    def _more(self) -> Any:
        part = self._rest[:CHUNK]
        del self._rest[:CHUNK]
        return tuple(part)

    def _take(self, *part: Any) -> None:
        self._taken += part

    def _all(self, last: tuple[Any, ...]) -> list[Any]:
        taken = self._taken
        if taken:
            self._taken = []
            taken += last
            return taken
        return list(last)

    def _acl_check(self, *given: Any) -> Any:
        argv = [each if type(each) is bytes else number_text(each) for each in given]
        try:
            return (True, TRUE) if self._host.acl_check(argv) else False
        except CommandError as error:
            return error.text

    def _set_resp(self, version: int) -> None:
        self._host.set_resp(version)
        self._three = version == 3
        if self.bridge is not None:
            self.bridge.three = self._three

    def _struct_pack(self, *given: Any) -> bytes:
        layout, *values = self._all(given)
        return libraries.struct_pack(layout, *values)

    def _struct_unpack(self, layout: bytes, data: bytes, start: float) -> Any:
        self._rest = libraries.struct_unpack(layout, data, start)
        return self._room_for_rest()

    def _pack(self, *given: Any) -> bytes:
        return libraries.pack(self._all(given))

    def _unpack(self, data: bytes, limit: int, offset: int) -> Any:
        """MessagePack values to be fetched with ``more``; False if there are none. A limit of -1 means all."""
        rest: list[Any] = []
        at, count = offset, 0
        while at < len(data) and count != limit:
            tokens, at = libraries.unpack(data, at)
            rest += tokens
            count += 1
        if limit != -1:
            rest.insert(0, at if at < len(data) else -1)
        self._rest = rest
        return self._room_for_rest()

    def _room_for_rest(self) -> Any:
        if not self._rest:
            return False
        fits = self._fits(tuple(self._rest)) if self._limit is not None else True
        return fits if type(fits) is tuple and fits[:2] == (True, FAILED) else (True, TRUE)

    def _matcher(self, text: bytes, pattern: bytes) -> patterns.Matcher:
        return patterns.Matcher(text, pattern, self._host.tick)

    def _find(self, text: bytes, pattern: bytes, start: int) -> Any:
        found = patterns.find(self._matcher(text, pattern), start, whole=True)
        return None if found is None else (True, VALUES, *found)

    def _match(self, text: bytes, pattern: bytes, start: int) -> Any:
        found = patterns.find(self._matcher(text, pattern), start, whole=False)
        return None if found is None else (True, VALUES, *found)

    def _scan(self, text: bytes, pattern: bytes, plain_anchor: bool) -> int:
        number = len(self._scans) + 1
        matcher = self._matcher(text, pattern)
        found = patterns.scan(matcher, anchors=plain_anchor)
        self._scans[number] = map(partial(_captures_alone, text), found) if plain_anchor else found
        return number

    def _next_match(self, number: int) -> Any:
        found = next(self._scans.get(number, iter(())), None)
        if found is None:
            return None
        if type(found) is tuple:
            start, end, captures = found
            return (True, VALUES, start, end, *captures)
        return (True, VALUES, *found)

    # ------------------------------------------------------------ what the engine calls

    def body(self, function: Any) -> Any:
        """A Lua function in the form that ``execute`` takes."""
        return function if self.bridge is None else self.bridge.hold(function)

    def execute(self, body: Any, keys: list[bytes], args: list[bytes], name: bytes, function: bool) -> Reply:
        """Run a script, or a function of a library. Raises ScriptError. It begins in RESP2 whatever its caller speaks."""
        self._three = False
        self.make_room(keys, args, name)
        try:
            if self.bridge is not None:
                result = self.bridge.run(body, keys, args, function)
                if type(result) is not tuple:
                    return result  # type: ignore[no-any-return]
            else:
                result = self._run(body, keys, args, function)
        except (BridgeError, LuaError, LuaMemoryError) as error:
            result = (True, FAILED, text_of(error), None, False, False)
        if type(result) is not tuple:
            return whole(result) if type(result) in (int, float) else result
        return self._finish(result, name)

    def _run(self, body: Any, keys: list[bytes], args: list[bytes], function: bool) -> Any:
        """Run a Lua function by lupa; a plain value or tokens."""
        count = len(keys)
        if count + len(args) < _MANY_ARGUMENTS:
            return self.limited(self.call if function else self.run, body, count, *keys, *args)
        give = self.interface[b"give"]
        both = [*keys, *args]
        for at in range(0, len(both), CHUNK):
            give(*both[at : at + CHUNK])
        return self.limited(self.interface[b"call_given" if function else b"run_given"], body, count)

    def make_room(self, keys: list[bytes], args: list[bytes], name: bytes) -> None:
        """Raises ScriptError where texts do not fit."""
        if self._has_room(keys, args):
            return
        self.interface[b"collect"]()
        if not self._has_room(keys, args):
            raise ScriptError(b"ERR Error running script %b, %b" % (name, _OUT_OF_MEMORY))

    def _has_room(self, keys: list[bytes], args: list[bytes]) -> bool:
        if self.bridge is not None:
            return self.bridge.has_room(keys, args)
        if self._limit is None:
            return True
        size = 2 * _RESERVE + sum(map(len, keys)) + sum(map(len, args)) + 128 * (len(keys) + len(args))
        return bool(self.lua.get_memory_used() + size <= self._limit)

    def _finish(self, result: tuple[Any, ...], name: bytes) -> Reply:
        if self._scans:
            self._scans.clear()
        if len(result) == 6 and result[1] == FAILED and not self._taken:
            self._fail(result[2], result[3], result[4], result[5], name)
        return from_lua(self._all(result))

    def _fail(self, text: bytes, source: bytes | bool, line: float | bool, of_command: bool, name: bytes) -> NoReturn:
        self._rest, self._taken = [], []
        where = b"%b:%d" % (source, line) if type(source) is bytes and line is not False else b""
        failure, self.failure = self.failure, None
        killed = self.rearm()
        if failure is not None:
            raise failure
        if killed is not None:
            text, where = killed
            of_command = False
        elif source is None:
            raise ScriptError(b"ERR Error running script %b, %.100b" % (name, text))
        if where:
            text = b"%b script: %b, on %b." % (text, name, where)
        raise ScriptError(text.replace(b"\r", b" ").replace(b"\n", b" "), of_command=of_command)

    def rearm(self) -> tuple[bytes, bytes] | None:
        """Let the next script run. Why and where this one was killed, if it was."""
        self._over = True
        text, where = self.interface[b"rearm"]()
        self._over = False
        return (text, where or b"") if text else None

    @property
    def full(self) -> bool:
        """Whether it keeps so much memory that it had better be made again."""
        if self._limit is None:
            return False
        self.interface[b"collect"]()
        used: int = self.lua.get_memory_used()
        return used + 4 * _RESERVE > self._limit

    def limited(self, call: Callable[..., Any], *given: Any) -> Any:
        """Call a Lua function within the limit of memory."""
        if self._limit is None:
            return call(*given)
        self.lua.set_max_memory(self._limit)
        try:
            return call(*given)
        finally:
            self.lua.set_max_memory(0)


class LuaEngine:
    """Runs scripts and functions, one at a time. ``max_memory`` is a limit in bytes for each of the two kinds."""

    def __init__(self, host: Host, *, max_memory: int | None = None) -> None:
        self._host = host
        self._max_memory = max_memory
        self._scripts: _Runtime | None = None
        self._functions: _Runtime | None = None

    def _runtime(self) -> _Runtime:
        runtime = self._scripts
        if runtime is None:
            runtime = self._scripts = _Runtime(self._host, self._max_memory)
        return runtime

    def compile(self, body: bytes, *, name: str = "user_script") -> Script:
        """A script from its text. Raises ScriptError."""
        flags, code = script_flags(body)
        runtime = self._runtime()
        chunk = self._compiled(runtime, code, name, "ERR Error compiling script (new function): ")
        return Script(chunk, name, flags)

    @staticmethod
    def _compiled(runtime: _Runtime, code: bytes, name: str, prefix: str) -> bytes:
        try:
            runtime.make_room([code], [], name.encode())
            fine, result = runtime.limited(runtime.interface[b"compile"], code, b"@" + name.encode())
        except (LuaError, LuaMemoryError):
            raise ScriptError(prefix.encode() + _OUT_OF_MEMORY) from None
        if not fine:
            raise ScriptError(prefix.encode() + result)
        return without_library_tail_calls(result)

    def run(self, script: Script, keys: list[bytes], args: list[bytes], sha: bytes = b"") -> Reply:
        """What a script returns. Raises ScriptError."""
        runtime = self._scripts or self._runtime()
        try:
            body = script._body if script._runtime is runtime else script.body(runtime)
            return runtime.execute(body, keys, args, sha, False)
        except ScriptError as error:
            self._after_error(error, runtime)
            raise

    def _after_error(self, error: ScriptError, runtime: _Runtime) -> None:
        if self._max_memory is not None and _OUT_OF_MEMORY in error.text and runtime.full:
            if runtime is self._scripts:
                self._scripts = None
            else:
                self._functions = None

    def load_library(self, code: bytes) -> Library:
        """A library from its text, whose functions are registered now. Raises ScriptError."""
        name, body = library_name(code)
        runtime = self._functions
        if runtime is None:
            runtime = self._functions = _Runtime(self._host, self._max_memory)
        return Library(name, code, self._load(runtime, body))

    def _load(self, runtime: _Runtime, code: bytes) -> dict[str, Function]:
        chunk = self._compiled(runtime, code, "user_function", "ERR Error compiling function: ")
        interface = runtime.interface
        runtime.deadline = time.monotonic() + _LOAD_SECONDS
        try:
            fine, result = runtime.limited(interface[b"load"], interface[b"library"](chunk))
        except (LuaError, LuaMemoryError) as error:
            fine, result = False, b"ERR " + text_of(error)
        finally:
            runtime.deadline = None
        killed = runtime.rearm()
        if runtime.failure is not None:
            failure, runtime.failure = runtime.failure, None
            raise failure
        if killed is not None or not fine:
            text = killed[0] if killed is not None else result
            problem = ScriptError(b"ERR Error registering functions: " + text.replace(b"\n", b" ").replace(b"\r", b" "))
            self._after_error(problem, runtime)
            raise problem
        functions: dict[str, Function] = {}
        while (entry := interface[b"entry"](result, len(functions) + 1)) is not None:
            name, description, flags, body = entry
            functions[name.decode()] = Function(
                name.decode(),
                description or None,
                frozenset(flags.decode().split(",")) if flags else frozenset(),
                runtime.body(body),
                runtime,
            )
        if not functions:
            raise ScriptError("ERR No functions registered")
        return functions

    def call_function(self, function: Function, keys: list[bytes], args: list[bytes]) -> Reply:
        """What a function returns. Raises ScriptError."""
        runtime = self._functions
        if runtime is None or function.runtime is not runtime:
            runtime = self._load_again(function)
        try:
            return runtime.execute(function.body, keys, args, function.name.encode(), True)
        except ScriptError as error:
            self._after_error(error, runtime)
            raise

    def _load_again(self, function: Function) -> _Runtime:
        """The libraries' runtime has been made again since this function was loaded."""
        runtime = self._functions
        if runtime is None:
            runtime = self._functions = _Runtime(self._host, self._max_memory)
        library = function.library
        _, code = library_name(library.code)
        for name, again in self._load(runtime, code).items():
            if name in library.functions:
                library.functions[name].body = again.body
                library.functions[name].runtime = runtime
        return runtime
