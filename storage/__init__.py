"""See the map in docs/architecture.md; this folder is imported as ``januskv.storage``."""

if __name__ == "storage":  # a bare "import storage" would load every class twice, under two names
    raise ImportError("import januskv.storage, not storage")
