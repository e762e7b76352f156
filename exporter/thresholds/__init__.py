"""When a queue is too full: which rule applies to a listener, and since when its thresholds are exceeded."""
