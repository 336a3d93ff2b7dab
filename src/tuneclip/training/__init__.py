"""Fine-tuning: what moves, in which batches, by which loss, how long it takes, and what goes wrong."""
