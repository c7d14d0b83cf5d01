"""The explorer: the query grammar, its statements, and the page that shows the rows."""
