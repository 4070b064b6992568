"""Pages of the HTTP port besides the faces."""
