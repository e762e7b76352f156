"""What samples add up to: clocks, peaks, histograms."""
