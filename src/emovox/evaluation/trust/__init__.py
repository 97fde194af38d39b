"""May a user rely on this model? Tests whose limits were written down before any model was tested."""
