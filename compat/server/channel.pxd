from januskv.compat.server.context cimport ServerContext
from januskv.compat.server.native_requests cimport NativeRequests
from januskv.compat.server.outbox cimport Outbox
from januskv.resp.encoder cimport Encoder
from januskv.storage.clock cimport Clock
from januskv.storage.feed cimport Feed

cimport cython

cdef class Channel:
    cdef public object server, pause
    cdef public NativeRequests native
    cdef public Clock clock
    cdef public Feed change_feed
    cdef public Outbox outbox
    cdef public Encoder encoder
    cdef public object client, transport
    cdef public ServerContext context
    cdef public bint running, closing, ended, lost, halted, sending, queued, piece_called, write_paused, small_buffer, retrying, stopped_reading
    cdef public object parked, pieces, session
    cdef public list unsent, behind
    cdef public long long active_ms, changes_before, changed, bytes_in, bytes_out, reads, writes, most_written, query_limit, unsent_bytes, taken_before
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t pending_input(self)
    cpdef run_batch(self)
    cpdef process(self)
    cpdef note_changes(self)
    cpdef failed(self, error)
    cpdef hold(self, request)
    cpdef hold_points(self, points)
    cpdef bytes encoded(self, message)
    cpdef bytes encoded_native(self, bytes text)
    cpdef push_bytes(self, bytes message)
    cpdef write_behind(self)
    cpdef write_message(self, bytes message)
    cpdef flush_soon(self)
    cpdef flush(self)
    cpdef deliver(self, bytes data, bint last)
    cpdef check_output(self, long long held_bytes=*)
