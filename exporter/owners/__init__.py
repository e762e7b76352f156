"""Owners of listening sockets: process, user, systemd unit, container and pod."""
