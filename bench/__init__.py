"""Benchmarks: `python -m bench`, and others by their names."""
