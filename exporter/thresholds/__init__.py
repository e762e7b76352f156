"""When a queue is too full: which rule speaks for a listener, and since when its level is crossed."""
