"""`show`: the listeners of this host, or of a running exporter, in several formats."""
