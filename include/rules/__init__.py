"""The rules: pure values in, decisions and reasons out. Nothing here reads a file, a clock or a network."""
