class WeightsError(Exception):
    """Weights that are missing, incomplete or not what their folder says."""
