"""From a model to a collection that can be searched: embed, store, search."""
