"""Tools besides the server, called as ``januskv <tool>``; see ``januskv.cli``."""
