"""Readers of the formats that pairs and faces come in: a path in, pairs out, no network."""
