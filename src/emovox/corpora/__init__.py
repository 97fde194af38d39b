"""Published corpora and user recordings as manifests, with speaker-independent folds."""
