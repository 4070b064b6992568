"""The face of Timely and OpenTSDB: points come in as text, binary, JSON over HTTP and WebSocket; queries and subscriptions go out."""
