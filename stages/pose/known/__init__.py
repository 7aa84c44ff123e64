"""Poses that the user gives."""
