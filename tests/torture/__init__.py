"""The real pipeline killed, told to stop, and out of disk, again and again; `make torture`."""
