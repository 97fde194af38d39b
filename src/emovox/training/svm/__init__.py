"""The baseline: functionals of clips, and a head that scikit-learn fits (`emovox.models.svm.SvmHead`)."""
