from januskv.storage.keyspace cimport Keyspace
from januskv.storage.stream_ids cimport id_text
from januskv.storage.streams cimport Stream
