"""The API: the explorer's rows and the evaluations, as JSON and CSV."""
