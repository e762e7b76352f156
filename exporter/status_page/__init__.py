"""The page at `/` for people, and one for each listener: HTML made from the documents of `exporter.api`."""
