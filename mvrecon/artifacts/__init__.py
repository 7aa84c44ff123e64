"""What stages hand to each other: one module for each stage's result."""
