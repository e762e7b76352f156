"""What the samples of a queue add up to: peaks, seconds, histograms."""
