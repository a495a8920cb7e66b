"""strmatch from Airflow, on Ray clusters that stand and on such that are made for a run."""
