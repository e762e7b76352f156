"""The sock_diag interface of netlink: requests, dumps, and the rows of each socket family."""
