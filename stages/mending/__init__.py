"""The run judges its own evidence, and tries the remedy that it names."""
