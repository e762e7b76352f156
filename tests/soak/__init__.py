"""The exporter under load for minutes or hours: `make soak MINUTES=10`.

`load.py` has what loads it, `readings.py` what is read meanwhile, `comparison.py` tells which figures of the
page are wrong, and `growth.py` whether anything grew.
"""
