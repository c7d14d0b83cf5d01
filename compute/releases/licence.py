"""The licence note of a release."""

from __future__ import annotations

from compute.releases.croissant import CITE_AS, PAPER
from compute.releases.manifest import Facts, Manifest


def licence_note(manifest: Manifest) -> str:
    """Return the content of ``LICENCE.md``: what is in the release, and on whose terms."""
    return f"""# {manifest.title}

Numbers that XFV, eXplainable Face Verification, computed: pairs, distances, thresholds, confidence
scores, and the deviations from which explanation maps are drawn. **No release holds a face image**:
those are to be had from the source of the dataset only, on its terms. Names of identities and
images are those of the dataset's own lists.

## Dataset

{_terms(manifest.dataset)}

## Model

{_terms(manifest.model)}

## Use

The terms of both hold for what is made from these numbers. Face images are personal data: do not
use this to decide about people. A map shows what moved a model's distance, not who someone is; a
confidence holds for pairs like those it was fitted on.

## Citation

The method is that of {PAPER}:

    {CITE_AS}
"""


def _terms(facts: Facts) -> str:
    return "\n".join(
        f"- {word}: {facts[name] or 'not stated'}"
        for word, name in (
            ("Name", "title"),
            ("Licence", "licence"),
            ("Source", "source"),
            ("SHA-256", "sha256"),
        )
    )
