"""Traces put into a folder as text, and the one sentence with which the importer refuses them."""

import pytest

from sim.record.importers import ImportFailure, read

SMALL = "time,kind,source,target\n1,message,a,b\n2.5,message,b,a\n"


def put(folder, text, name="trace.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path, **arguments):
    with pytest.raises(ImportFailure) as caught:
        read(path, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or str(path.parent) in message
    return message
