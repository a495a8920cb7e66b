"""The cost of an edit compared with a literal implementation of Algorithm 1."""
