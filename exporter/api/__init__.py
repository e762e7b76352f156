"""Documents about listeners as JSON over HTTP: for programs, and for the pages that people read."""
