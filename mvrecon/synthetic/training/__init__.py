"""Image pairs with exact flow for training, made on the fly from a seed, in torch."""
