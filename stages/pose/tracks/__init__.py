"""Points followed through the frames by flow."""
