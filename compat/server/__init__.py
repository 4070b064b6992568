"""Serving connections of all protocols: channels, dispatch, waiting, Pub/Sub, tracking, durability, configuration."""
