"""Posed clips with exact depth for training."""
