"""Every figure that README and docs quote, made by one command: `python -m benchmarks DATA`."""
