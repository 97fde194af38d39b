"""The documentation site: staged from docs/ by `pages`, built by Sphinx, checked by `output`."""
