"""Run a model on labelled clips; `figures` computes metrics from its predictions, `report` presents them."""
