"""The append-only log, snapshots, and recovery from them. The engine does not know that they exist."""
