"""The loop, with a kernel and a clock of the tests' own."""
