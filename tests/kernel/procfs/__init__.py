"""Files below /proc/net and /proc/sys/net, made by hand and of the kernel."""
