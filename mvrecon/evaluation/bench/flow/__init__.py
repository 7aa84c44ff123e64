"""Benchmarks of flow models on pairs with truth."""
