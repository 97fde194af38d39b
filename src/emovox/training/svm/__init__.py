"""The baseline: from functionals of clips to a head that scikit-learn fits, `emovox.models.svm.SvmHead`."""
