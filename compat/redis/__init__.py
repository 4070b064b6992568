"""The Redis face: verbs over the engine, with Redis' replies and error texts."""
