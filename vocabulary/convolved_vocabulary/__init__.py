"""The words that engine, server and client share; they describe and never compute."""
