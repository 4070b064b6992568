from januskv.commands.context cimport Context
from januskv.compat.redis.args cimport parse_int
from januskv.storage.keyspace cimport Keyspace
from januskv.storage.lists cimport as_list, bounds, insert_item, is_long, move_item, pop, pop_one, push, set_item, texts_of
from januskv.storage.values cimport text_of

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef side(bytes word)
cpdef pop_command(Context ctx, list[bytes] argv, bint at_head)
