"""What `benchmarks/search.py` measures: the vectors, and an engine a file, each run in a process of its own."""
