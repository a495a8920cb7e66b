"""The error of weights that cannot be used."""


class WeightsError(Exception):
    """Weights that are missing or incomplete, or that do not fit their model or manifest."""
