"""The cases of the benchmark, each measured in a network namespace of its own."""
