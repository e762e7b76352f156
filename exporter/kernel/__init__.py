"""The only room that talks to Linux: bytes and files come in, frozen records go out."""
