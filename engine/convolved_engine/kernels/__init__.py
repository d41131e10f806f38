"""Compiled kernels. Nothing is compiled before it is first called."""
