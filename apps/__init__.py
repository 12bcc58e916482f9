"""The eleven stages, one app each, in the order of the operating loop. Each app's own page says what it does."""
