"""Tools other than the server, called as ``januskv <tool>``; see ``januskv.cli``."""
