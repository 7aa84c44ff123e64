"""Benchmarks: flow models on pairs with truth, the pipeline on posed sets; tables, comparison."""
