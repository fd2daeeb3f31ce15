"""A WebSocket client of PyPI's `websockets`. Arguments: the URL, and the subprotocols that it offers."""
import sys

from websockets.sync.client import connect

with connect(sys.argv[1], subprotocols=sys.argv[2:] or None) as connection:
    for message in ["hello", "x" * 1_000_000, "Grüße"]:
        connection.send(message)
        assert connection.recv() == message.upper()
    connection.send(b"\x00\xff" * 50_000)
    assert connection.recv() == b"\x00\xff" * 50_000
print("closed", connection.protocol.close_code, connection.subprotocol)
