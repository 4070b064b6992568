"""The native JSON face: requests over a line, a WebSocket or RESP, saves, service commands."""
