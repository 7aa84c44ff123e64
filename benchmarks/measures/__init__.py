"""What is measured: one module a table, or a few."""
