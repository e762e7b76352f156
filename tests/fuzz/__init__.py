"""Fuzzing of every decoder and parser: `make fuzz`, and a short form of it among the tests.

A file in `targets/` has one function that takes bytes, and raises for those that show a fault. `corpus/` has
a folder with small inputs for each of them.
"""
