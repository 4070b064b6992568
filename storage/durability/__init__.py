"""The append-only log, snapshots, and recovery from them. The engine does not depend on them."""
