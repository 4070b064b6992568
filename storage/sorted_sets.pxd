cimport cython
from cpython cimport array
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.places cimport Places
from januskv.storage.score_columns cimport column, cut_from, first_behind, first_from, put_in
from januskv.storage.packed_scores cimport (
    count_in,
    cut_out,
    names_in,
    pairs_in,
    rank_in,
    score_in,
    with_score,
    without,
)

cdef class Order:
    cdef public list members, scores, head_members
    cdef public array.array head_scores
    cdef public Places places
    @cython.locals(members=list, scores=array.array, at=Py_ssize_t, place=Py_ssize_t, half=Py_ssize_t)
    cpdef add(self, double score, bytes member)
    @cython.locals(at=Py_ssize_t)
    cpdef remove(self, double score, bytes member)
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t)
    cpdef Py_ssize_t _block(self, double score, bytes member) except -2
    cpdef _drop_blocks(self, Py_ssize_t low, Py_ssize_t high)
    @cython.locals(members=list, scores=array.array)
    cpdef _cut(self, Py_ssize_t at, Py_ssize_t place, Py_ssize_t count)
    @cython.locals(members=list, at=Py_ssize_t)
    cpdef tuple pop(self, bint at_low)
    @cython.locals(scores=array.array, low=Py_ssize_t, high=Py_ssize_t)
    cpdef Py_ssize_t _place(self, Py_ssize_t at, double score, bytes member) except -1
    @cython.locals(at=Py_ssize_t)
    cpdef Py_ssize_t rank(self, double score, bytes member) except -1
    @cython.locals(found=list, at=Py_ssize_t, before=Py_ssize_t, wanted=Py_ssize_t, end=Py_ssize_t)
    cpdef list _spans(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(found=list, at=Py_ssize_t, first=Py_ssize_t, end=Py_ssize_t)
    cpdef list names(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(found=list, at=Py_ssize_t, first=Py_ssize_t, end=Py_ssize_t)
    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(found=list, at=Py_ssize_t, first=Py_ssize_t, end=Py_ssize_t)
    cpdef list values(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(block=list, names=list)
    cpdef Order without(self, dict by_name)

cdef class SortedSet:
    cdef public Order order
    cdef public dict by_name
    cdef public bytes packed
    cdef public int most, longest
    cpdef _pack(self)
    cpdef dict _unpack(self)
    cpdef Order ordered(self)
    @cython.locals(text=bytes, scores=dict, order=Order)
    cpdef set(self, bytes member, object score)
    cpdef discard(self, object members)
    @cython.locals(scores=dict)
    cpdef bint _discard(self, bytes member) except -1
    cpdef score(self, bytes member)
    cpdef Py_ssize_t place(self, object score, bytes member) except -1
    cpdef list names(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list slice(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef list values(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(order=Order, scores=dict, size=Py_ssize_t, names=list, values=list)
    cpdef tuple cut(self, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(scores=dict)
    cpdef update(self, dict new)
    cpdef Py_ssize_t remove_ranks(self, Keyspace keyspace, bytes key, Py_ssize_t start, Py_ssize_t stop, str event) except -1
    cpdef rank(self, bytes member)
    @cython.locals(order=Order, scores=dict, size=Py_ssize_t, pair=tuple, member=bytes)
    cpdef tuple pop(self, Keyspace keyspace, bytes key, bint at_low, str event)
    cpdef list take(self, Keyspace keyspace, bytes key, Py_ssize_t start, Py_ssize_t stop, str event)

cpdef tuple columns_in_order(dict scores)
@cython.locals(places=list, place=Py_ssize_t, size=Py_ssize_t, at=Py_ssize_t, end=Py_ssize_t, score=double)
cpdef tuple in_order_of(list names, list values)
cpdef SortedSet as_sorted_set(object value)
cpdef put_scores(Keyspace keyspace, bytes key, SortedSet held, dict scores, str event)
