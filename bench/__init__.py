"""What the exporter costs, measured beside a floor in C and other programs on the same load."""
