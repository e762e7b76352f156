"""Rules and what follows from them over time."""
