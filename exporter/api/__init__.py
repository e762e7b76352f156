"""JSON over HTTP for people and their programs: what the recorder has kept."""
