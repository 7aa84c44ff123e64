"""Depth by geometry alone: plane sweep with a flow prior."""
