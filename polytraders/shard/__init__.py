"""The loop process of a shard: a set of markets with its own loop and log."""
