"""What is wrong with the listen queues of a host, as findings: evidence, and one change for each."""
