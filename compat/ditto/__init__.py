"""The Ditto face: series of events over HTTP. What it does is here; ``januskv.ditto_pages`` has the sockets."""
