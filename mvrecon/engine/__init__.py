"""Stage declarations, keys, the artifact store and the runner."""
