# Types for guards.py: see docs/architecture.md, "Compiled implementations".

cimport cython

from januskv.commands.table cimport Command

@cython.final
cdef class KeyPattern:
    cdef readonly bytes pattern
    cdef public int rights
    cdef readonly object matches
    cdef int _form, _first
    cdef bytes _text

    cpdef bint allows(self, bytes name, int rights) except -1

cdef class _Place:
    cdef readonly Py_ssize_t first, last, step
    cdef readonly int rights

cdef class _Names:
    cdef object find
    cdef int rights

cdef class _Plan:
    cdef list places, names, choices, patterns
    cdef int rights

@cython.final
cdef class Guard:
    cdef object _parts
    cdef dict _plans
    cdef Command _command
    cdef _Plan _plan

    @cython.locals(plan=_Plan, keys=list)
    cpdef bint allows(self, Command command, list request) except -1
    @cython.locals(plan=_Plan, keys=list)
    cpdef bint allows_body(self, Command command, object body) except -1
    cdef _Plan _plan_of(self, Command command)

@cython.locals(place=_Place, size=Py_ssize_t, last=Py_ssize_t, at=Py_ssize_t)
cdef bint _are_allowed(_Plan plan, list keys, list request) except -1
@cython.locals(each=_Names)
cdef bint _are_names_allowed(_Plan plan, list keys, dict body) except -1
@cython.locals(pattern=KeyPattern)
cdef bint _is_allowed(list keys, bytes name, int rights) except -1
