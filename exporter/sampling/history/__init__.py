"""What the samples of a queue add up to: peaks, time, histograms."""
