"""Files below /proc/net and /proc/sys/net: listeners, counters, settings, reference counts."""
