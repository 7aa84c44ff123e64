"""Learned fusion: a recurrent network along the sequence."""
