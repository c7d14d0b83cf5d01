"""Whether a stored dataset is what it was at import, and its parts fit together."""

from __future__ import annotations

from compute.datasets.pairs import FOLDS
from compute.datasets.store import StoredDataset, image_sha256
from compute.errors import DatasetError, HashMismatchError


def require_images(dataset: StoredDataset) -> None:
    """Compare every image with its own hash; ``HashMismatchError`` names the first that differs."""
    for record, image in zip(dataset.records, dataset.images, strict=True):
        if image_sha256(image) != record.sha256:
            raise HashMismatchError(
                f"{dataset.name}, {record.name}: pixels have SHA-256 {image_sha256(image)}, "
                f"expected {record.sha256}. Import the dataset again."
            )


def require_counts(dataset: StoredDataset) -> None:
    """Check that the pairs fit together; ``DatasetError`` names what does not.

    Ids ascend inside the dataset's own, images and masks are there, folds are 0 to 9, no picture
    stands beside itself, and every pair of the list is there or was skipped.
    """
    facts, pairs = dataset.facts, dataset.pairs
    images, masks = len(dataset.records), 0 if dataset.masks is None else len(dataset.masks)
    before = facts.first_pair_id - 1
    for pair in pairs:
        first, second = sorted((pair.image1, pair.image2))
        for holds, expected in (
            (
                before < pair.id <= facts.last_pair_id,
                f"an id of {before + 1} or more, at most {facts.last_pair_id}",
            ),
            (0 <= first < second < images, f"two of {images} images"),
            (0 <= pair.fold < FOLDS, f"a fold of 0 to {FOLDS - 1}"),
            (pair.mask is None or 0 <= pair.mask < masks, f"one of {masks} masks, or none"),
        ):
            if not holds:
                raise DatasetError(
                    f"{dataset.name}, pairs.csv: {pair}, expected {expected}. Import the dataset "
                    "again."
                )
        before = pair.id
    skipped = sum(each.pair_id is not None for each in dataset.skipped)
    if len(pairs) + skipped != facts.pairs or len(dataset.images) != len(dataset.records):
        raise DatasetError(
            f"{dataset.name}: {len(pairs)} pairs, {skipped} skipped, {len(dataset.images)} images "
            f"and {len(dataset.records)} records of them; expected {facts.pairs} pairs in all and "
            "a record for each image. Import the dataset again."
        )
