"""Training data: clips and classes, the views of each clip, batches, and the rows of each step."""
