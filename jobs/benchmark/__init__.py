"""What the cheap edit costs, beside Algorithm 1 as it is written."""
