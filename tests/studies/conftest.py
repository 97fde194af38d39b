"""Generated predictions, as the tests of evaluation have them."""

from tests.evaluation.conftest import generated

__all__ = ["generated"]
