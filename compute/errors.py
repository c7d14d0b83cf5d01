"""What can go wrong in the pipeline, one class per condition; messages say how to mend it."""


class ComputeError(Exception):
    """Base of every error that the pipeline reports without a traceback."""


class ImageError(ComputeError):
    """An image that is unreadable, too small or of the wrong shape."""


class EmbeddingError(ComputeError):
    """Embeddings of the wrong shape, not finite, or zero."""


class ModelError(ComputeError):
    """A model file or a registry entry that cannot be used."""


class UnsuitableError(ModelError):
    """An engine that has nothing to offer for this model."""


class GraphError(ComputeError):
    """A graph that cannot be changed as asked; the model may be sound."""


class DatasetError(ComputeError):
    """A dataset that cannot be imported or read."""


class HashMismatchError(ComputeError):
    """A file whose SHA-256 is not the pinned one."""


class FetchError(ComputeError):
    """A file that cannot be had from where it is said to be."""


class RunError(ComputeError):
    """A run that cannot start or go on."""


class ReleaseError(ComputeError):
    """A release that cannot be written, or one that cannot be believed."""


class RemoteError(ComputeError):
    """A black box that cannot be reached, or that answers otherwise than it must."""
