"""Tests of the HTTP side, against real sockets on the loopback."""
