"""A run in a browser, while it is made and after: mesh, cloud, cameras, depth, lengths."""
