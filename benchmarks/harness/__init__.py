"""What the benchmarks share: clusters, load, statistics, tables."""
