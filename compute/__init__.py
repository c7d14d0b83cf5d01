"""Explain any face verification model: X-Maps (why) and C-Score (how sure).

Arrays in, arrays out; the model is a callable. The pipeline is built on the same functions.
"""

from compute.blending import xmap
from compute.cscore import CrossValidation, CScore, cross_validate, fit_cscore
from compute.explanation import PairExplanation, explain_pair
from compute.occlusion import OcclusionSpec

__all__ = [
    "CScore",
    "CrossValidation",
    "OcclusionSpec",
    "PairExplanation",
    "cross_validate",
    "explain_pair",
    "fit_cscore",
    "xmap",
]
