"""The server: puts the engine behind the contract."""
