"""Releases: an evaluation with its explanations as a folder of open files (docs/releases.md)."""
