from januskv.storage.keyspace cimport Keyspace
from januskv.storage.samples cimport SampleSeries

cpdef list choose_series(Keyspace keyspace, object filters)
cpdef latest_sample(Keyspace keyspace, bytes name, SampleSeries series)
cpdef query_series(Keyspace keyspace, bytes name, SampleSeries series, object wanted)
