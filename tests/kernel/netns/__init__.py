"""Other network namespaces: discovery, the client of the broker, sockets and files opened there."""
