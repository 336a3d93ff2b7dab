"""Pipelines: steps that are verbs, run in order from variables, skipped where they are up to date."""
