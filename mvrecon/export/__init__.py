"""What other programs read, from the files of a run."""
