"""Fixtures: small explorers."""

from helpers.explored import (  # noqa: F401  (fixtures)
    explorer,
    fresh,
    kept,
    kept_wide,
    lent,
    many,
    wide,
)
