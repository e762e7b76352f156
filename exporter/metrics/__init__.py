"""Every metric, declared once, and the page made from the declarations."""
