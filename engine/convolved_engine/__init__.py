"""The engine: computes what the vocabulary describes and knows nothing of the wire."""
