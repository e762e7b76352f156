"""The sockets and network namespaces that programs are measured on."""
