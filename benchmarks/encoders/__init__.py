"""What `benchmarks/encode.py` holds against each other: each module is one contender, run as a process of its own."""
