"""Many inputs, one run each: which, where they run, and what became of them."""
