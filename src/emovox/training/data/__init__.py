"""What a training learns from: clips and classes, the views of each clip, batches, and which rows a step takes."""
