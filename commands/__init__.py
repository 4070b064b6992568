"""See the map in docs/architecture.md; this folder is imported as ``januskv.commands``."""

if __name__ == "commands":  # a bare "import commands" would load every class again under another name
    raise ImportError("import januskv.commands, not commands")
