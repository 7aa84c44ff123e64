"""RAFT (Teed and Deng, ECCV 2020)."""
