"""Make models smaller: INT8."""
