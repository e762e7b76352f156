"""What samples add up to: timelines, peaks, histograms."""
