"""See the map in docs/architecture.md; this folder is imported as ``januskv.compat``."""

if __name__ == "compat":  # a bare "import compat" would load every class a second time, under another name
    raise ImportError("import januskv.compat, not compat")
