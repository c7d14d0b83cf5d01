"""The one door from the pipeline to the site: pictures into the media store, then rows.

Pictures are named by their content and rows are written in one transaction per step, so that a
killed run leaves at most pictures without rows, never rows without pictures.

`datasets`, `evaluations` and `explanations` write what the pipeline made, `restored` what a release
holds, `withdrawn` deletes; `derived` is what is kept beside the rows, `notes` what is known of
labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.media import MediaStore
from compute.datasets.store import PairRecord, StoredDataset
from compute.occlusion import OcclusionSpec
from compute.publish.datasets import pack_missing, publish_dataset
from compute.publish.evaluations import find_evaluation, publish_evaluation, publish_model
from compute.publish.explanations import OpenSet, open_set, write_pictures
from compute.publish.restored import RestoredRows, RestoredSet, restore_rows
from compute.publish.withdrawn import Kind, withdraw
from compute.registry import ModelEntry
from compute.rendering import RenderedExplanation
from compute.runs import Conditions
from compute.verification import Verification

__all__ = ["OpenSet", "Publisher", "RestoredRows", "RestoredSet"]


class Publisher:
    """Writes into the database and the media store of the current application."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media
        self._opened: OpenSet | None = None

    def dataset(self, dataset: StoredDataset) -> None:
        """Publish images and pairs (`datasets.publish_dataset`)."""
        publish_dataset(self._media, dataset)

    @staticmethod
    def pack_missing(name: str) -> None:
        """Pack what an earlier version of the platform published (`datasets.pack_missing`)."""
        pack_missing(name)

    def model(self, entry: ModelEntry) -> None:
        """Publish a model of the registry (`evaluations.publish_model`)."""
        publish_model(entry)

    def has_evaluation(self, dataset: str, model: str) -> bool:
        """Tell whether the evaluation of a model on a dataset is published."""
        return find_evaluation(dataset, model) is not None

    def evaluation(
        self,
        dataset: str,
        model: str,
        pairs: Sequence[PairRecord],
        verification: Verification,
        conditions: Conditions,
        *,
        skipped: int,
    ) -> None:
        """Publish metrics, folds and results (`evaluations.publish_evaluation`)."""
        publish_evaluation(dataset, model, pairs, verification, conditions, skipped=skipped)

    def open_set(
        self,
        dataset: str,
        model: str,
        name: str,
        spec: OcclusionSpec,
        current: Conditions,
        *,
        wanted: int,
    ) -> OpenSet:
        """Open an explanation set to be filled (`explanations.open_set`)."""
        self._opened = open_set(self._media, dataset, model, name, spec, current, wanted=wanted)
        return self._opened

    def settle(self) -> None:
        """Write what the set that was opened last still holds (`explanations.OpenSet.write`)."""
        if self._opened is not None:
            self._opened.write()

    def pictures(self, rendered: RenderedExplanation) -> dict[str, str]:
        """Write the X-Maps of a pair (`explanations.write_pictures`)."""
        return write_pictures(self._media, rendered)

    def restore(self, restored: RestoredRows) -> None:
        """Publish what a release holds (`restored.restore_rows`)."""
        restore_rows(restored)

    def withdraw(self, kind: Kind, name: str) -> None:
        """Delete a dataset or a model and all that hangs on it (`withdrawn.withdraw`)."""
        withdraw(self._media, kind, name)
