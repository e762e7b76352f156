"""Network namespaces: finding them, opening sockets and files in them, and what is read there."""
