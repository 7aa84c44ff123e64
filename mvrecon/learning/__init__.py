"""What the learned parts share: layers, training, the number format that they compute in."""
