"""Tests of exporter/web, over real sockets on the loopback interface."""
