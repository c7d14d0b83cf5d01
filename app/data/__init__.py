"""Releases on the site: a list, a page for each, and its files; written by ``flask export``."""
