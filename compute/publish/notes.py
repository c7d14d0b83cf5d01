"""What is known of labels, onto the pairs: beside the published label, never in its place."""

from __future__ import annotations

from sqlalchemy import select, update

from app.extensions import db
from app.models import Dataset, Pair
from compute.datasets.catalogue import DatasetFacts
from compute.datasets.errata import notes_of


def note_pairs(facts: DatasetFacts) -> None:
    """Note what is known of labels; also on what was published before it was known."""
    if facts.images_of != "lfw":
        return
    columns = (Pair.image1, Pair.image2, Pair.identity1, Pair.identity2, Pair.id, Pair.note)
    rows = db.session.execute(select(*columns).join(Dataset).where(Dataset.name == facts.name))
    changed = [
        {"id": number, "note": note}
        for *named, number, before in rows
        for note in (notes_of(*named),)
        if note != before
    ]
    if changed:
        db.session.execute(update(Pair), changed)
    db.session.commit()
