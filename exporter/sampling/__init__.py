"""The loop: which source is asked when, and what each sample does to the history of a listener."""
