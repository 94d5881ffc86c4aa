"""Convert a table guess to and from plain JSON values, to pass it between processes."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.errors import StoreError
from recsys_core.text import _

_APART = frozenset(["preview", "keeper"])
"""Fields that are not plain values: the preview is written as columns and rows, the keeper is dropped."""


def guess_to_json(guess: TableGuess) -> dict[str, Any]:
    """Return every field of a guess as plain values, except `keeper`."""
    plain = {name: adapter.dump_python(getattr(guess, name), mode="json") for name, adapter in _adapters().items()}
    cells = guess.preview.astype(object).to_numpy().tolist()
    return plain | {"preview": {"columns": list(map(str, guess.preview.columns)), "rows": cells}}


def guess_from_json(values: Mapping[str, Any]) -> TableGuess:
    """Read back what `guess_to_json` returned.

    Raises:
        StoreError: The values do not describe a guess.
    """
    try:
        plain = {name: adapter.validate_python(values[name]) for name, adapter in _adapters().items()}
        preview = values["preview"]
        frame = pd.DataFrame(preview["rows"], columns=preview["columns"], dtype="str")
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise StoreError(
            _("The inspection result of a file cannot be read back: {error}.").format(error=error)
        ) from error
    return TableGuess(**plain, preview=frame)


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    """Return the serializer of each field, from its annotation."""
    kinds = get_type_hints(TableGuess)
    return {one.name: TypeAdapter(kinds[one.name]) for one in fields(TableGuess) if one.name not in _APART}
