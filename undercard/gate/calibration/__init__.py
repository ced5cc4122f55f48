"""Fitting thresholds to pictures that somebody labelled: reading the folder that holds them, and the fit."""
