from januskv.commands.context cimport Context
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.strings cimport add_integer, append as append_to, data_of, overwrite, size_of, string_text
