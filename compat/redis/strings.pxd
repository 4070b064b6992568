from januskv.commands.context cimport Context

cpdef bytes string_text(object value)
cpdef get(Context ctx, list argv)
cpdef set_(Context ctx, list argv)
