"""Run a model over labelled clips; `figures` computes from its predictions, `report` shows them."""
