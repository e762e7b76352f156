"""What a listener is: its name, its group of sockets, who owns it, which connections are its own."""
