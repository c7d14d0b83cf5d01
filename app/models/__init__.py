"""The rows of the platform: datasets and pairs, models, evaluations, explanation sets."""

from app.models.dataset import Dataset, Image, Pair
from app.models.evaluation import Evaluation, FaceModel, FoldScore, Result
from app.models.explanation import Explanation, ExplanationSet
from app.models.packed import PairColumn, ResultColumn

__all__ = [
    "Dataset",
    "Evaluation",
    "Explanation",
    "ExplanationSet",
    "FaceModel",
    "FoldScore",
    "Image",
    "Pair",
    "PairColumn",
    "Result",
    "ResultColumn",
]
