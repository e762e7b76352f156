"""Tests that run as root of a virtual machine, since they start daemons and change the machine."""
