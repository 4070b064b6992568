from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.streams cimport Stream
