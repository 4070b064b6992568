"""See the map in docs/architecture.md; this folder is imported as ``januskv.resp``."""

if __name__ == "resp":  # a bare "import resp" would load every class a second time, under another name
    raise ImportError("import januskv.resp, not resp")
