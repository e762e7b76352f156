"""The page, its catalogue and its reference."""
