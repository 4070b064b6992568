from januskv.commands.context cimport Context

# Handlers are decorated, which cpdef functions cannot be: their arguments are typed by annotation.
cpdef side(bytes word)
