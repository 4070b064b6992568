from januskv.commands.context cimport Context
from januskv.commands.table cimport Command
from januskv.compat.native cimport NativeFace
from januskv.compat.outbox cimport Outbox
from januskv.resp.encoder cimport Encoder
from januskv.storage.clock cimport Clock

cimport cython

cdef class Channel:
    cdef public object server
    cdef public NativeFace native
    cdef public Clock clock
    cdef public Outbox outbox
    cdef public Encoder encoder
    cdef public object client, transport
    cdef public Context context
    cdef public bint running, closing, ended, lost, halted, sending, queued, piece_called, write_paused, small_buffer
    cdef public object parked, pieces, session
    cdef public list unsent
    cdef public Command last_command
    cdef public long long active_ms, bytes_in, bytes_out, query_limit, unsent_bytes, taken_before
    cpdef feed(self, bytes data)
    cpdef run_batch(self)
    cpdef process(self)
    cpdef failed(self, error)
    cpdef hold(self, request)
    cpdef bytes encoded(self, message)
    cpdef bytes encoded_native(self, bytes text)
    cpdef push_bytes(self, bytes message)
    cpdef flush_soon(self)
    cpdef flush(self)
    cpdef deliver(self, bytes data, bint last)
    cpdef check_output(self)
