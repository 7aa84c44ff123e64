"""What a run will take before it runs, and options that fit a budget."""
