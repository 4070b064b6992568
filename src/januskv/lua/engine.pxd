# Types for engine.py: see docs/architecture.md, "Compiled implementations".

from januskv.lua.bridge cimport Bridge

cimport cython

cdef class _Runtime

cdef class Script:
    cdef bytes _chunk
    cdef readonly object name, flags
    cdef _Runtime _runtime
    cdef object _body

cdef class _Runtime:
    cdef object _host, _limit, _rest, _scans, _over
    cdef list _taken
    cdef bint _three
    cdef public object failure, deadline
    cdef object _interface
    cdef readonly object lua, run, call
    cdef readonly Bridge bridge

    @cython.locals(three=cython.bint)
    cdef object _value(self, object reply, bint three)
    cpdef object execute(self, object body, list keys, list args, bytes name, bint function)
    cpdef object make_room(self, list keys, list args, bytes name)
    cdef object _has_room(self, list keys, list args)

cdef class LuaEngine:
    cdef object _host, _max_memory
    cdef _Runtime _scripts, _functions

    cdef _Runtime _runtime(self)
    cpdef object run(self, Script script, list keys, list args, bytes sha=*)
