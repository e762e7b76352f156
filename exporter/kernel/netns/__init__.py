"""Network namespaces: discovery, access to other namespaces, and what may be asked in each."""
