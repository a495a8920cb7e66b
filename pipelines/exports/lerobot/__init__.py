"""The format `lerobot`: edited episodes as a LeRobot dataset, with everything else of the source.

`edits` finds the episodes that are edited in all cameras, `plan` numbers the episodes of the
export, `write_part` writes and reads back those of a part in a `layout`, `finish` the metadata.
"""
