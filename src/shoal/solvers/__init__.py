"""Iterative fits on explicit states, and the loop that drives them."""
