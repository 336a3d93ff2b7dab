"""How good is a model, and is it better? Metrics, intervals, comparison, report."""
