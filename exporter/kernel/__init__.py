"""All that talks to Linux: bytes and files are read, frozen records are returned."""
