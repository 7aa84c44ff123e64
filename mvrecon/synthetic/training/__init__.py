"""What networks are trained on, made from seeds: pairs with exact flow, posed clips with depth."""
