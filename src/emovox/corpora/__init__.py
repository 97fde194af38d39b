"""Published corpora and people's own recordings as manifests, with their speaker-disjoint folds."""
