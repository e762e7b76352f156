"""What the exporter relies on, on the kernel of a virtual machine. Each test notes what it saw there."""
