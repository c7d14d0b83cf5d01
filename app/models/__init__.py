"""The rows of the platform: datasets, models, evaluations, explanation sets, reviews."""

from app.models.dataset import Dataset, Image, Pair
from app.models.evaluation import Evaluation, FaceModel, FoldScore, Result
from app.models.explanation import Explanation, ExplanationSet
from app.models.packed import PairColumn, ResultColumn
from app.models.review import Review

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
    "Review",
]
