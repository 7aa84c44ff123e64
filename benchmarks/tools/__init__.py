"""Fits of shipped constants, and measures for who trains: called by hand, no table is made."""
