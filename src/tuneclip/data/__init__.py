"""From pictures and metadata to a sound dataset: read, load, augment."""
