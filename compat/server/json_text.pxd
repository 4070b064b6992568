from januskv.compat.server.json_scan cimport count_members, written_members

cpdef object loads(bytes text)
