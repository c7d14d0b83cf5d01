"""The site's side of ``flask doctor``; ``compute.holdings`` is the pipeline's."""
