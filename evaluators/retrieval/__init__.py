"""Retrieval encoders: texts, speech and motions in one space, where nearness means that they belong together."""

from evaluators.retrieval.evaluator import AudioMotionEvaluator, EvaluatorSet, TextMotionEvaluator
from evaluators.retrieval.load import load_evaluators, shipped_evaluators

__all__ = ["AudioMotionEvaluator", "EvaluatorSet", "TextMotionEvaluator", "load_evaluators", "shipped_evaluators"]
