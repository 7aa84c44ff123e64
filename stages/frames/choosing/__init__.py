"""Which of the frames become key frames, and in what order they are."""
