"""Who owns a listener: from paths, processes and files that are the test's, and from a real kernel."""
