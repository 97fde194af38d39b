"""The baseline: from functionals of clips to a fitted `emovox.models.svm.SvmModel`."""
