"""Runs: a run's folder, checkpoints, where data come from, pictures, and the command line."""
