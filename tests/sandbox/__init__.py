"""What a process may still ask of the kernel, tried in processes that are thrown away."""
