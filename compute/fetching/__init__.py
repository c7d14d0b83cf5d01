"""Files from the web: hashes and names, one URL into one part file, pins, archives."""
