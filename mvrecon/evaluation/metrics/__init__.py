"""Errors against ground truth: flow, trajectory, depth, image, surface."""
