"""Models behind an HTTP address: black boxes that get pictures and answer with numbers.

``docs/black-box.md`` tells the protocol to those who write the other side.
"""
