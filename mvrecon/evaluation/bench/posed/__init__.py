"""Benchmarks of the pipeline on posed sets."""
