"""Stream entries as clients get them, in bytes. ``entry_wire.pyx`` is the compiled twin."""

from __future__ import annotations

from januskv.resp.encoder import encode
from januskv.storage.stream_ids import id_text
from januskv.storage.streams import Entry


def entries_wire(entries: list[Entry]) -> bytes:
    """The reply of entries: an array of their ids and fields, the same in RESP2 and RESP3."""
    return encode([[id_text(entry_id), fields] for entry_id, fields in entries])
