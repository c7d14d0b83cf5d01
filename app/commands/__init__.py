"""Commands in groups of their own; ``app/cli.py`` adds them to ``flask``."""
