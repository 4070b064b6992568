# cython: boundscheck=False, wraparound=False
"""The short way between Python and Lua: scripts are run, and call commands, through Lua's C functions.

lupa converts value by value and call by call, in ways that suit every program; a script that calls one command would
spend most of its time in that. lupa's module contains Lua and exports its functions, for extension modules of Lua that are
written in C. This is such a module: ``package.loadlib`` gives it the state. The functions are found in lupa's module by
name, so nothing here depends on how lupa is built; where one is missing there is no bridge, and lupa does it all.

Lua reports errors by long jumps, which skip what Cython does at the end of a function. So nothing here is called that can
fail, but inside of ``lua_pcall``, and memory is asked for before Lua's is taken (``_fits``).
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.math cimport floor, isfinite
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from januskv.resp.replies import Simple

from .tokens import ERROR, FAILED, line_of, number_text

cdef extern from "dlfcn.h" nogil:
    void* dlopen(const char* path, int mode)
    void* dlsym(void* handle, const char* name)
    const int RTLD_NOW
    const int RTLD_NOLOAD

cdef extern from *:
    """
    static int (*januskv_opener)(void *);
    __attribute__((visibility("default"))) int januskv_lua_open(void *state) { return januskv_opener(state); }
    """
    int (*januskv_opener)(void*) noexcept

ctypedef int (*Called)(State) noexcept

cdef enum:
    # lua.h of Lua 5.1
    REGISTRY = -10000
    GLOBALS = -10002
    MULTIPLE = -1
    COUNT = 3  # of lua_gc: kilobytes
    NOTHING = 0
    BOOLEAN = 1
    NUMBER = 3
    STRING = 4
    TABLE = 5
    # ours
    RESERVE = 1 << 20
    DEEPEST_UNPACKED = 16
    DEEPEST = 6  # a C function of Lua's has 20 places on the stack: three for each level

cdef struct Api:
    int (*checkstack)(State, int) noexcept
    void (*createtable)(State, int, int) noexcept
    int (*gc)(State, int, int) noexcept
    int (*getmetatable)(State, int) noexcept
    int (*gettop)(State) noexcept
    int (*next)(State, int) noexcept
    int (*pcall)(State, int, int, int) noexcept
    void (*pushboolean)(State, int) noexcept
    void (*pushcclosure)(State, Called, int) noexcept
    void (*pushlightuserdata)(State, void*) noexcept
    void (*pushlstring)(State, const char*, size_t) noexcept
    void (*pushnil)(State) noexcept
    void (*pushnumber)(State, double) noexcept
    void (*pushvalue)(State, int) noexcept
    void (*rawgeti)(State, int, int) noexcept
    void (*rawset)(State, int) noexcept
    void (*rawseti)(State, int, int) noexcept
    void (*setfield)(State, int, const char*) noexcept
    void (*settop)(State, int) noexcept
    int (*toboolean)(State, int) noexcept
    const char* (*tolstring)(State, int, size_t*) noexcept
    double (*tonumber)(State, int) noexcept
    void* (*touserdata)(State, int) noexcept
    int (*type)(State, int) noexcept
    int (*ref)(State, int) noexcept
    void (*unref)(State, int, int) noexcept

cdef Api lua
cdef bint found = False
cdef void* opening = NULL
cdef State opened = NULL
cdef int handed = 0

cdef bytes NO_ARGUMENTS = b"ERR Please specify at least one argument for this redis lib call"
cdef bytes ARGUMENTS = b"ERR Lua redis lib command arguments must be strings or integers"
cdef bytes OUT_OF_MEMORY = b"ERR not enough memory"
cdef double LEAST_INT = -9223372036854775808.0
cdef double PAST_INT = 9223372036854775808.0
# Stands for a value that the general way has to convert.
cdef object OTHER = object()


cdef void* _function(void* handle, bytes name) except NULL:
    cdef void* address = dlsym(handle, name)
    if address == NULL:
        raise LookupError(name.decode())
    return address


cdef int _find(bytes path) except -1:
    """Find Lua's functions in lupa's module. Raises LookupError."""
    global found
    cdef void* handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD)
    if handle == NULL:
        raise LookupError("lupa's module is not a library")
    lua.checkstack = <int (*)(State, int) noexcept>_function(handle, b"lua_checkstack")
    lua.createtable = <void (*)(State, int, int) noexcept>_function(handle, b"lua_createtable")
    lua.gc = <int (*)(State, int, int) noexcept>_function(handle, b"lua_gc")
    lua.getmetatable = <int (*)(State, int) noexcept>_function(handle, b"lua_getmetatable")
    lua.gettop = <int (*)(State) noexcept>_function(handle, b"lua_gettop")
    lua.next = <int (*)(State, int) noexcept>_function(handle, b"lua_next")
    lua.pcall = <int (*)(State, int, int, int) noexcept>_function(handle, b"lua_pcall")
    lua.pushboolean = <void (*)(State, int) noexcept>_function(handle, b"lua_pushboolean")
    lua.pushcclosure = <void (*)(State, Called, int) noexcept>_function(handle, b"lua_pushcclosure")
    lua.pushlightuserdata = <void (*)(State, void*) noexcept>_function(handle, b"lua_pushlightuserdata")
    lua.pushlstring = <void (*)(State, const char*, size_t) noexcept>_function(handle, b"lua_pushlstring")
    lua.pushnil = <void (*)(State) noexcept>_function(handle, b"lua_pushnil")
    lua.pushnumber = <void (*)(State, double) noexcept>_function(handle, b"lua_pushnumber")
    lua.pushvalue = <void (*)(State, int) noexcept>_function(handle, b"lua_pushvalue")
    lua.rawgeti = <void (*)(State, int, int) noexcept>_function(handle, b"lua_rawgeti")
    lua.rawset = <void (*)(State, int) noexcept>_function(handle, b"lua_rawset")
    lua.rawseti = <void (*)(State, int, int) noexcept>_function(handle, b"lua_rawseti")
    lua.setfield = <void (*)(State, int, const char*) noexcept>_function(handle, b"lua_setfield")
    lua.settop = <void (*)(State, int) noexcept>_function(handle, b"lua_settop")
    lua.toboolean = <int (*)(State, int) noexcept>_function(handle, b"lua_toboolean")
    lua.tolstring = <const char* (*)(State, int, size_t*) noexcept>_function(handle, b"lua_tolstring")
    lua.tonumber = <double (*)(State, int) noexcept>_function(handle, b"lua_tonumber")
    lua.touserdata = <void* (*)(State, int) noexcept>_function(handle, b"lua_touserdata")
    lua.type = <int (*)(State, int) noexcept>_function(handle, b"lua_type")
    lua.ref = <int (*)(State, int) noexcept>_function(handle, b"luaL_ref")
    lua.unref = <void (*)(State, int, int) noexcept>_function(handle, b"luaL_unref")
    found = True
    return 0


cdef int _open(State state) noexcept:
    """What ``package.loadlib`` finds: notes the state, and returns functions for ``hold``, redis.call, cmsgpack.unpack and cjson.encode."""
    global opened
    opened = state
    lua.pushcclosure(state, _hand, 0)
    lua.pushlightuserdata(state, opening)
    lua.pushcclosure(state, _command, 1)
    lua.pushlightuserdata(state, opening)
    lua.pushcclosure(state, _unpack, 1)
    lua.pushlightuserdata(state, opening)
    lua.pushcclosure(state, _encode, 1)
    return 4


cdef int _hand(State state) noexcept:
    """Keep a Lua function in the registry."""
    global handed
    lua.settop(state, 1)
    handed = lua.ref(state, REGISTRY)
    return 0


cdef int _command(State state) noexcept:
    """What redis.call gives its words to."""
    return (<Bridge>lua.touserdata(state, GLOBALS - 1)).serve(state)


cdef int _unpack(State state) noexcept:
    """The one value that a text of MessagePack has, in an array; nil where the general way has to look at the text."""
    cdef size_t size = 0
    cdef const unsigned char* at = <const unsigned char*>lua.tolstring(state, 1, &size)
    cdef const unsigned char* end = at + size
    # The smallest table takes a byte, and eighty here.
    if (<Bridge>lua.touserdata(state, GLOBALS - 1)).fits(state, 100 * <Py_ssize_t>size):
        lua.createtable(state, 1, 0)
        if _read(state, &at, end, 0) and at == end:
            lua.rawseti(state, 2, 1)
            return 1
    lua.pushnil(state)
    return 1


cdef uint64_t _number(const unsigned char* at, int size) noexcept:
    cdef uint64_t number = 0
    cdef int i
    for i in range(size):
        number = number << 8 | at[i]
    return number


cdef bint _read(State state, const unsigned char** place, const unsigned char* end, int depth) noexcept:
    """Read a value and put it on the stack; False for what is not whole or not common, with anything on the stack."""
    cdef const unsigned char* at = place[0]
    cdef int code, size, i
    cdef uint64_t number, count
    cdef uint32_t bits
    cdef float single
    cdef double double_
    if at >= end:
        return False
    code = at[0]
    at += 1
    if code < 0x80 or code >= 0xE0:
        lua.pushnumber(state, code if code < 0x80 else code - 256)
    elif code == 0xC0:
        lua.pushnil(state)
    elif code == 0xC2 or code == 0xC3:
        lua.pushboolean(state, code == 0xC3)
    elif 0xCA <= code <= 0xD3:
        size = 4 if code == 0xCA else 8 if code == 0xCB else 1 << (code & 3)
        if end - at < size:
            return False
        number = _number(at, size)
        at += size
        if code == 0xCA:
            bits = <uint32_t>number
            memcpy(&single, &bits, 4)
            double_ = single
        elif code == 0xCB:
            memcpy(&double_, &number, 8)
        elif code < 0xCF:
            double_ = <double>number
        else:  # the sign from the size's highest bit; as in Redis also where eight bytes have none
            double_ = <double>(<int64_t>(number << (64 - 8 * size)) >> (64 - 8 * size))
        lua.pushnumber(state, double_)
    else:
        if code < 0xC0:
            count = code & (0x1F if code >= 0xA0 else 0x0F)
        elif code >= 0xD9:
            size = 1 << (code - 0xD9 if code <= 0xDB else (code & 1) + 1)
            if end - at < size:
                return False
            count = _number(at, size)
            at += size
        else:
            return False
        if count > <uint64_t>(end - at):
            return False
        if 0xA0 <= code < 0xDC:
            lua.pushlstring(state, <const char*>at, count)
            at += count
        elif depth == DEEPEST_UNPACKED or not lua.checkstack(state, 8):
            return False
        else:
            lua.createtable(state, 0, 0)
            for i in range(<int>count):
                if code < 0x90 or code >= 0xDE:
                    if not _read(state, &at, end, depth + 1):
                        return False
                    if lua.type(state, -1) == NOTHING or lua.tonumber(state, -1) != lua.tonumber(state, -1):
                        return False
                if not _read(state, &at, end, depth + 1):
                    return False
                if code < 0x90 or code >= 0xDE:
                    lua.rawset(state, -3)
                else:
                    lua.rawseti(state, -2, i + 1)
    place[0] = at
    return True


cdef enum:
    MOST_JSON = 1 << 16
    DEEPEST_JSON = 16

# JSON that is being written: a script runs at a time, and a jump out of Lua must leave nothing to be freed.
cdef char[MOST_JSON] json
cdef int json_size


cdef int _encode(State state) noexcept:
    """A value as cjson.encode spells it with its first settings; nil where the general way has to look at it."""
    global json_size
    json_size = 0
    lua.settop(state, 1)
    if (<Bridge>lua.touserdata(state, GLOBALS - 1)).fits(state, MOST_JSON) and _spell(state, 1, 0):
        lua.pushlstring(state, json, json_size)
    else:
        lua.pushnil(state)
    return 1


cdef bint _add(const char* text, size_t size) noexcept:
    global json_size
    if json_size + size > MOST_JSON:
        return False
    memcpy(json + json_size, text, size)
    json_size += <int>size
    return True


cdef bint _add_number(State state, int place) noexcept:
    cdef char[40] text
    cdef double number = lua.tonumber(state, place)
    if not isfinite(number):
        return False
    return _add(text, snprintf(text, 40, b"%.14g", number))


cdef bint _add_string(State state, int place) noexcept:
    cdef size_t size = 0, i
    cdef const char* text = lua.tolstring(state, place, &size)
    cdef char[8] escape
    cdef unsigned char letter
    cdef bint fine = _add(b'"', 1)
    for i in range(size):
        letter = <unsigned char>text[i]
        if letter >= 32 and letter != 34 and letter != 47 and letter != 92 and letter != 127:
            fine = fine and _add(text + i, 1)
            continue
        escape[0] = 92
        escape[1] = (
            letter if letter == 34 or letter == 47 or letter == 92
            else 98 if letter == 8 else 116 if letter == 9 else 110 if letter == 10
            else 102 if letter == 12 else 114 if letter == 13 else 0
        )
        if escape[1]:
            fine = fine and _add(escape, 2)
        else:
            fine = fine and _add(escape, snprintf(escape, 8, b"\\u%04x", <int>letter))
    return fine and _add(b'"', 1)


cdef bint _spell(State state, int place, int depth) noexcept:
    """Write the value at a place of the stack; False where that is not possible or not common."""
    cdef int kind = lua.type(state, place)
    if kind == STRING:
        return _add_string(state, place)
    if kind == NUMBER:
        return _add_number(state, place)
    if kind == NOTHING:
        return _add(b"null", 4)
    if kind == BOOLEAN:
        return _add(b"true", 4) if lua.toboolean(state, place) else _add(b"false", 5)
    if kind != TABLE or depth == DEEPEST_JSON or not lua.checkstack(state, 8):
        return False
    if lua.getmetatable(state, place):  # it may be a read-only one, whose contents are elsewhere
        return False
    return _spell_table(state, place, depth)


cdef bint _spell_table(State state, int place, int depth) noexcept:
    cdef double number, largest = 0
    cdef int items = 0, i, kind
    cdef bint is_array = True
    lua.pushnil(state)
    while lua.next(state, place):
        items += 1
        if is_array:
            number = lua.tonumber(state, -2) if lua.type(state, -2) == NUMBER else 0
            is_array = number >= 1 and floor(number) == number
            largest = max(largest, number)
        lua.settop(state, -2)
    if is_array and items:
        if largest > 2 * items and largest > 10 or largest > MOST_JSON:
            return False
        for i in range(1, <int>largest + 1):
            lua.rawgeti(state, place, i)
            if not _add(b"[" if i == 1 else b",", 1) or not _spell(state, lua.gettop(state), depth + 1):
                return False
            lua.settop(state, -2)
        return _add(b"]", 1)
    if not items:
        return _add(b"{}", 2)
    items = 0
    lua.pushnil(state)
    while lua.next(state, place):
        if not _add(b"," if items else b"{", 1):
            return False
        items += 1
        kind = lua.type(state, -2)
        if kind == STRING:
            if not _add_string(state, -2):
                return False
        elif kind != NUMBER or not _add(b'"', 1) or not _add_number(state, -2) or not _add(b'"', 1):
            return False
        if not _add(b":", 1) or not _spell(state, lua.gettop(state), depth + 1):
            return False
        lua.settop(state, -2)
    return _add(b"}", 1)


class BridgeError(Exception):
    """Lua has failed outside of a script. ``text``: what it says."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text


@cython.final
@cython.no_gc_clear
cdef class _Body:
    """A Lua function in the registry."""

    def __dealloc__(self):
        lua.unref(self.bridge.state, REGISTRY, self.place)


@cython.no_gc_clear
cdef class Bridge:
    """Runs Lua functions and serves their commands."""

    def __init__(self, runtime, call, converted, limit):
        global januskv_opener, opening
        if not found:
            import lupa.lua51

            _find(lupa.lua51.__file__.encode())
        januskv_opener = _open
        opening = <void*>self
        opener = runtime.eval(b"package.loadlib")(__file__.encode(), b"januskv_lua_open")
        if type(opener) is tuple:
            raise LookupError(opener[1].decode(errors="replace"))
        self.runtime = runtime
        self.hand, self.command, self.unpack, self.encode = opener()
        self.state = opened
        self.call = call
        self.converted = converted
        self.set_max_memory = runtime.set_max_memory
        self.limit = limit or 0
        self.three = False

    def connect(self, interface):
        """Note the functions of the sandbox's interface that are called here."""
        self.reset_script = self.hold(interface[b"reset_script"])
        self.reset_function = self.hold(interface[b"reset_function"])
        self.finish = self.hold(interface[b"finished"])
        self.error_handler = self.hold(interface[b"error_handler"])
        self.globals = self.hold(interface[b"globals"])
        self.dirty = self.hold(interface[b"dirty"])

    def hold(self, function):
        """A Lua function in the form that ``run`` takes."""
        self.hand(function)
        cdef _Body body = _Body.__new__(_Body)
        body.bridge = self
        body.place = handed
        return body

    # ------------------------------------------------------------ scripts

    cpdef object release(self):
        """End the limit of memory until the next script."""
        self.set_max_memory(0)
        self.limited = False

    cpdef bint has_room(self, list keys, list arguments) except -1:
        """Whether there is memory for these texts, and for a script besides."""
        return self.fits(self.state, RESERVE + _size_of(keys) + _size_of(arguments))

    cpdef object run(self, _Body body, list keys, list arguments, bint function):
        """Run a script, or a function; a reply, or a tuple of tokens. Raises BridgeError."""
        cdef State state = self.state
        cdef int top = lua.gettop(state), status, count
        self.three = False
        lua.checkstack(state, 10)
        lua.rawgeti(state, REGISTRY, self.error_handler.place)
        lua.rawgeti(state, REGISTRY, self.dirty.place)
        lua.rawgeti(state, -1, 1)
        if lua.toboolean(state, -1):
            lua.rawgeti(state, REGISTRY, self.reset_function.place if function else self.reset_script.place)
            lua.pcall(state, 0, 0, 0)
        if function:
            lua.settop(state, top + 1)
            lua.rawgeti(state, REGISTRY, body.place)
            _push_texts(state, keys)
            _push_texts(state, arguments)
        else:
            lua.rawgeti(state, REGISTRY, self.globals.place)
            _push_texts(state, keys)
            lua.setfield(state, -2, b"KEYS")
            _push_texts(state, arguments)
            lua.setfield(state, -2, b"ARGV")
            lua.settop(state, top + 1)
            lua.rawgeti(state, REGISTRY, body.place)
        if self.limit and not self.limited:
            self.set_max_memory(self.limit)
            self.limited = True
        try:
            status = lua.pcall(state, 2 if function else 0, 1, top + 1)
            if status == 0:
                result = self.result(state, top + 2, 1)
                if result is not OTHER:
                    return result
            lua.rawgeti(state, REGISTRY, self.finish.place)
            lua.pushboolean(state, status == 0)
            lua.pushvalue(state, top + 2)
            status = lua.pcall(state, 2, MULTIPLE, 0)
            if status:
                raise BridgeError(_text(state, -1))
            count = lua.gettop(state) - top - 2
            if count == 1:
                return _value(state, -1)
            return tuple([_value(state, top + 3 + i) for i in range(count)])
        finally:
            lua.settop(state, top)

    cdef object result(self, State state, int place, int depth):
        """What stands at a place of the stack as a reply; OTHER if it is not one of the common kinds."""
        cdef int kind = lua.type(state, place)
        cdef double number
        if kind == STRING:
            return _text(state, place)
        if kind == NUMBER:
            number = lua.tonumber(state, place)
            return <long long>number if LEAST_INT <= number < PAST_INT else <long long>LEAST_INT
        if kind == NOTHING:
            return None
        if kind == BOOLEAN and not self.three:
            return 1 if lua.toboolean(state, place) else None
        if kind == TABLE and depth <= DEEPEST and not self.three:
            return self.items(state, place, depth)
        return OTHER

    cdef object items(self, State state, int place, int depth):
        """A table that is an array, or has "ok" alone; OTHER for another one."""
        cdef int top = lua.gettop(state), count = 0
        cdef list found = []
        cdef const char* text
        cdef size_t size
        if not lua.checkstack(state, 8):
            return OTHER
        lua.pushnil(state)
        while lua.next(state, place):
            if lua.type(state, -2) != NUMBER:
                item = OTHER
                if count == 0 and lua.type(state, -2) == STRING and lua.type(state, -1) == STRING:
                    text = lua.tolstring(state, -2, &size)
                    if size == 2 and text[0] == c"o" and text[1] == c"k":
                        item = Simple(line_of(_text(state, -1)))
                        lua.settop(state, top + 1)
                        if lua.next(state, place):
                            item = OTHER
                lua.settop(state, top)
                return item
            count += 1
            item = OTHER
            if lua.tonumber(state, -2) == count:
                item = self.result(state, top + 2, depth + 1)
            if item is OTHER:
                lua.settop(state, top)
                return OTHER
            found.append(item)
            lua.settop(state, top + 1)
        return found

    # ------------------------------------------------------------ commands

    cdef int serve(self, State state) noexcept:
        """Run the command whose words are on the stack, and put its reply there."""
        cdef int count = lua.gettop(state)
        cdef list argv
        try:
            if count == 0:
                return self.tokens(state, (True, ERROR, NO_ARGUMENTS))
            argv = _words(state, count)
            if argv is None:
                return self.tokens(state, (True, ERROR, ARGUMENTS))
            reply = self.call(argv)
            lua.settop(state, 0)
            if self.push(state, reply):
                return 1
        except BaseException as error:
            reply = error
            lua.settop(state, 0)
        return self.convert(state, reply)

    cdef int convert(self, State state, object reply) noexcept:
        try:
            value = self.converted(reply, self.three)
            if type(value) is tuple:
                return self.tokens(state, value)
            return self.tokens(state, (value,))
        except BaseException:
            return self.tokens(state, (True, FAILED, b"ERR internal error"))

    cdef int tokens(self, State state, tuple values) noexcept:
        """Put values on the stack, one by one; how many these are."""
        if not lua.checkstack(state, <int>len(values) + 8):
            values = (True, FAILED, OUT_OF_MEMORY)
        for value in values:
            if value is None:
                lua.pushnil(state)
            elif value is True or value is False:
                lua.pushboolean(state, value is True)
            elif type(value) is bytes:
                lua.pushlstring(state, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            else:
                lua.pushnumber(state, value)
        return <int>len(values)

    cdef bint push(self, State state, object reply) except -1:
        """Put a reply on the stack, if it is of one of the common kinds and there is room for it; whether it was."""
        cdef Py_ssize_t size = self.size(reply, 1)
        if size < 0 or not self.fits(state, size):
            return False
        self.put(state, reply)
        return True

    cdef bint fits(self, State state, Py_ssize_t size) noexcept:
        return self.limit == 0 or (<size_t>lua.gc(state, COUNT, 0) << 10) + <size_t>size + RESERVE <= self.limit

    cdef Py_ssize_t size(self, object reply, int depth) except -2:
        """About how many bytes a reply takes in Lua; -1 if it is not of one of the common kinds."""
        cdef Py_ssize_t total = 128, size, i
        if type(reply) is bytes:
            return PyBytes_GET_SIZE(reply) + 64
        if type(reply) is int:
            return 64 if -0x8000000000000000 <= reply <= 0x7FFFFFFFFFFFFFFF else -1
        if reply is None:
            return 64
        if type(reply) is Simple:
            return PyBytes_GET_SIZE(reply.text) + 192
        if type(reply) is not list or depth > DEEPEST:
            return -1
        for i in range(PyList_GET_SIZE(reply)):
            size = self.size(<object>PyList_GET_ITEM(reply, i), depth + 1)
            if size < 0:
                return -1
            total += size
        return total

    cdef int put(self, State state, object reply) except -1:
        cdef Py_ssize_t i, count
        if type(reply) is bytes:
            lua.pushlstring(state, PyBytes_AS_STRING(reply), PyBytes_GET_SIZE(reply))
        elif reply is None:
            if self.three:
                lua.pushnil(state)
            else:
                lua.pushboolean(state, 0)
        elif type(reply) is int:
            lua.pushnumber(state, <double>reply)
        elif type(reply) is list:
            count = PyList_GET_SIZE(reply)
            lua.createtable(state, <int>count, 0)
            for i in range(count):
                self.put(state, <object>PyList_GET_ITEM(reply, i))
                lua.rawseti(state, -2, <int>(i + 1))
        else:
            text = reply.text
            lua.createtable(state, 0, 1)
            lua.pushlstring(state, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
            lua.setfield(state, -2, b"ok")
        return 0


cdef Py_ssize_t _size_of(list texts) except -1:
    cdef Py_ssize_t i, size = 0
    for i in range(PyList_GET_SIZE(texts)):
        size += PyBytes_GET_SIZE(<object>PyList_GET_ITEM(texts, i)) + 128
    return size


cdef int _push_texts(State state, list texts) except -1:
    """Put a table of texts on the stack."""
    cdef Py_ssize_t i, count = PyList_GET_SIZE(texts)
    lua.createtable(state, <int>count, 0)
    for i in range(count):
        text = <object>PyList_GET_ITEM(texts, i)
        lua.pushlstring(state, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        lua.rawseti(state, -2, <int>(i + 1))
    return 0


cdef list _words(State state, int count):
    """The words of a command; None if one is neither a string nor a number."""
    cdef list argv = []
    cdef int i, kind
    cdef double number
    for i in range(1, count + 1):
        kind = lua.type(state, i)
        if kind == STRING:
            argv.append(_text(state, i))
        elif kind == NUMBER:
            number = lua.tonumber(state, i)
            if floor(number) == number and LEAST_INT <= number < PAST_INT:
                argv.append(b"%d" % <long long>number)
            else:
                argv.append(number_text(number))
        else:
            return None
    return argv


cdef bytes _text(State state, int place):
    """The string at a place of the stack, which is not a number."""
    cdef size_t size = 0
    cdef const char* text = lua.tolstring(state, place, &size)
    return PyBytes_FromStringAndSize(text, <Py_ssize_t>size)


cdef object _value(State state, int place):
    """A nil, boolean, number or string of the stack."""
    cdef int kind = lua.type(state, place)
    cdef double number
    if kind == STRING:
        return _text(state, place)
    if kind == NUMBER:
        number = lua.tonumber(state, place)
        return <long long>number if LEAST_INT <= number < PAST_INT and floor(number) == number else number
    if kind == BOOLEAN:
        return bool(lua.toboolean(state, place))
    return None


def bridge_to(runtime, call, converted, limit):
    """The bridge to a runtime of lupa's; None where lupa's module does not offer what it needs.

    ``call`` runs a command and returns its reply; ``converted`` makes the tokens of a reply, or of an exception.
    """
    try:
        return Bridge(runtime, call, converted, limit)
    except (LookupError, ImportError):
        return None
