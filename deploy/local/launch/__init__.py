"""Starts and stops clusters of real processes on this machine, for users, tests and benchmarks alike."""
