"""Types of a manifest's own columns that Parquet and all libraries that read the dataset know."""

import pyarrow as pa

_LISTS = (
    (pa.types.is_fixed_size_list, lambda item, kind: pa.list_(item, kind.list_size)),
    (pa.types.is_large_list, lambda item, _: pa.large_list(item)),
    (pa.types.is_list, lambda item, _: pa.list_(item)),
)
_SCALARS = (
    (pa.types.is_null, lambda _: pa.string()),  # pandas and Ray reject the null type
    (pa.types.is_string_view, lambda _: pa.string()),
    (pa.types.is_binary_view, lambda _: pa.binary()),
    (pa.types.is_decimal32, lambda kind: pa.decimal128(kind.precision, kind.scale)),
    (pa.types.is_decimal64, lambda kind: pa.decimal128(kind.precision, kind.scale)),
)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type that a column is carried as; values can be cast to it without a loss.

    Dictionaries and extension types become the type of their values, and maps become lists of
    structs of key and value, which `datasets` reads. Types within structs and lists as well.
    """
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_map(kind):
        return pa.list_(pa.struct(_plain_fields(("key", kind.key_type), ("value", kind.item_type))))
    if pa.types.is_struct(kind):
        return pa.struct(_plain_fields(*((field.name, field.type) for field in kind)))
    for holds, of in _LISTS:
        if holds(kind):
            return of(plain_type(kind.value_type), kind)
    return next((of(kind) for holds, of in _SCALARS if holds(kind)), kind)


def _plain_fields(*fields: tuple[str, pa.DataType]) -> list[tuple[str, pa.DataType]]:
    return [(name, plain_type(kind)) for name, kind in fields]
