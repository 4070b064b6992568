from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.samples cimport SampleSeries

cpdef series_at(Context ctx, bytes name)
