"""Experiments that are over; README.md says what each showed."""
