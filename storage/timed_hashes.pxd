# Compiled as it is: its cost is that of dicts.
