"""Pages of the HTTP port other than the APIs."""
