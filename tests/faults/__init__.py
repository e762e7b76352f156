"""One test a fault, provoked for real; docs/reliability.md has the table of them and of those elsewhere."""
