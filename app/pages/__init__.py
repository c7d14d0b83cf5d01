"""The front page, the models, the method, and whether the site is ready."""
