"""Make models smaller: quantise, prune, distil."""
