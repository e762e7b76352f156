"""One target a file, named after what is fuzzed: `run` takes the bytes, `TARGET` describes it."""
