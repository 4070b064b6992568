cpdef bytes entries_wire(list entries)
