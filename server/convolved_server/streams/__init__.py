"""StreamConvolve: signals that come in blocks along time."""
