"""Recipes and training: features in, fitted model and out-of-fold predictions out."""
