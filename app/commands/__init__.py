"""The commands of maintainers: thin; the work is in ``compute``, loaded only when needed.

``outcome`` says how they end: exit codes, and errors turned into messages.
"""
