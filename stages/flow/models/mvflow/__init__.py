"""mvflow: the small network that corrects a cheap initial flow."""
