"""A network that has learnt drawn figures, for each way in which its labels were wrong."""

from functools import cache

import pytest
from helpers.shapes import figures, learnt, mislabelled


@pytest.fixture(scope="session")
def trained(keras):
    """Return a model trained on 1200 figures, a share of them with wrong labels; each once."""

    @cache
    def make(share=0.0, only=None):
        pictures, kinds = figures(1200, seed=1)
        return learnt(keras, pictures, mislabelled(kinds, share, 3, only))

    return make
