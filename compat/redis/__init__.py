"""The Redis face: commands over the engine, with Redis' replies and error texts."""
