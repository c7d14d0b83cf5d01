"""Datasets: what is known of them, their readers, and the store of aligned images."""
