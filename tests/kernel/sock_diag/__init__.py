"""Requests, replies and rows of sock_diag, from recorded datagrams and a fake kernel."""
