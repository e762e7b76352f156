"""Files of /proc/net and /proc/sys/net, and what is parsed from them."""
