"""From a dataset to an adapted model: open, encode, losses, train."""
