"""Files below /proc/net and /proc/sys/net: listeners, counters, reference counts."""
