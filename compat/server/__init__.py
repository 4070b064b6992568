"""What serves connections, whatever they speak: channels, dispatch, waiting, Pub/Sub, tracking, durability, configuration."""
