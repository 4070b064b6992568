from januskv.commands.context cimport Context
from januskv.storage.hashes cimport add_integer_to_field, hash_at, hash_to_read, is_small, put_field, put_fields, remove_fields
from januskv.storage.values cimport text_of

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef read_hash(Context ctx, bytes name)
cpdef text(object value)
cpdef dict _pairs(list[bytes] argv, str verb)
