"""Listeners: their keys, their groups of sockets, and which connections belong to them."""
