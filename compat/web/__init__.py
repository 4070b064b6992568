"""What the HTTP port answers besides the faces."""
