"""The leaderboard and the page of one evaluation: what a model achieves on a dataset."""
