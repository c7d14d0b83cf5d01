"""The viewer: one pair, its verdicts and its maps; the pictures; the explanations API."""
