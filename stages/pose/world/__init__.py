"""The world that poses are given in: axes and scale."""
