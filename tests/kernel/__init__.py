"""Tests of exporter.kernel: recorded replies, a fake kernel, files like those of /proc, and real kernels."""
