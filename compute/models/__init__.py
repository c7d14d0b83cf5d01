"""Models beyond the registry: those that others publish, and whether one is fed as on record."""
