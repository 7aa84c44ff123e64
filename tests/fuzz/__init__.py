"""Bad and hostile input, generated: kinds with what the user sees, and mutations without end."""
