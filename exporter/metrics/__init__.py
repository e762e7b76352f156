"""Every metric once, and the page made from them."""
