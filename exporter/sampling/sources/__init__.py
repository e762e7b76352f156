"""What the kernel is asked, one file a source; `source.py` is what all of them have in common."""
