"""How a shot is graded: what a model makes of the colours of a control image, learnt from one keyframe.

A grade lifts black, tints, bends all channels by one curve, a power and a contrast, and makes what was so bent deeper
or paler. Near no change each is a term by itself, so that a grade is nine numbers. Nine can be learnt from a night in
which little is lit, where a table of what becomes of each lightness takes the colours of the few things that have it
for the grade's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undercard.gate.measures.colour import Levels

LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601."""
DARK = 0.05
"""Level that is added where differences are told as shares: what is much darker differs by its rounding."""
ROUNDS = 4
"""Of the fit; what is off by more than OFF deviations has less and less to say."""
OFF = 2.0
PULL = 1e-4
"""Towards no change, as a share of the squared terms: where all is of one colour, depth cannot be told."""
EXTREME_PERCENT = 1.0
BEYOND = (0.8, 1.1)
"""Of what is darkest and lightest, factors to which the grade is believed."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What is added to a control image's colours."""

    weights: NDArray[np.float64]
    """Of the terms."""
    darkest: float
    lightest: float
    """Mean level of a part between which the grade is known."""

    def __call__(self, drawn: Levels) -> Levels:
        """Return what the grade makes of *drawn*."""
        graded: Levels = np.clip(drawn + _terms(drawn) @ self.weights, 0.0, 1.0)
        return graded

    def knows(self, drawn: Levels) -> NDArray[np.bool_]:
        """Say of which of *drawn* the like was there when the grade was learnt; shape (parts,)."""
        level = drawn.mean(axis=1)
        known: NDArray[np.bool_] = (level >= self.darkest) & (level <= self.lightest)
        return known


def learnt(picture: Levels, control: Levels) -> Grade:
    """Return the grade that makes *picture* of *control*, by least squares over shares of each level."""
    terms = _terms(control).reshape(control.size, -1)
    wanted, unit = (picture - control).ravel(), 1.0 / (control.ravel() + DARK)
    trust, pull = unit, PULL * control.size * np.eye(terms.shape[1])
    for _ in range(ROUNDS):
        trusted = terms * trust[:, None]
        weights = np.linalg.solve(trusted.T @ trusted + pull, trusted.T @ (wanted * trust))
        rest = np.abs(terms @ weights - wanted) * unit
        # Of normal deviates the median is 0.67 deviations away; nothing is known better than to 1e-4.
        deviation = np.median(rest) / 0.6745 + 1e-4
        trust = unit / np.sqrt(1.0 + (rest / (OFF * deviation)) ** 2)
    low, high = np.percentile(control.mean(axis=1), (EXTREME_PERCENT, 100.0 - EXTREME_PERCENT))
    return Grade(np.asarray(weights, np.float64), BEYOND[0] * float(low), BEYOND[1] * float(high))


def _terms(drawn: Levels) -> NDArray[np.float64]:
    """Return what a small change of each of the nine numbers adds to *drawn*; shape (parts, 3, 9)."""
    power = -drawn * np.log(np.maximum(drawn, 1e-3))
    curve = np.stack([drawn, power, drawn * drawn], axis=-1)
    depth = np.einsum("pct,c->pt", curve, LUMA)[:, None, :] - curve
    tint = drawn[:, :, None] * np.eye(3)
    return np.concatenate([np.full((*drawn.shape, 1), 0.1), tint, curve[:, :, 1:], depth], axis=-1)
