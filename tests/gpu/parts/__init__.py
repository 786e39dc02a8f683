"""The parts of tests/gpu/run.sh."""
