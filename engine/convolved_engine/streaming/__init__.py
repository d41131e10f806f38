"""Layers along time."""
