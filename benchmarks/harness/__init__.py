"""Common parts of the benchmarks: clusters, load, statistics, tables."""
