"""Engines fold statistics over the blocks of a dataset."""
