"""Sampling, with a kernel, processes and clocks that the tests hand in."""
