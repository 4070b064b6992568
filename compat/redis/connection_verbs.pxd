from januskv.commands.context cimport Context
