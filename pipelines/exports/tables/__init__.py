"""The exports to tables that grow."""
