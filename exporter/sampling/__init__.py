"""The sampling thread: which source is asked when, and what each answer does to the state of listeners."""
