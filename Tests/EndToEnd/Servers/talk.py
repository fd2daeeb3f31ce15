"""A WebSocket client of PyPI's `websockets`. Argument: the URL."""
import sys

from websockets.sync.client import connect

with connect(sys.argv[1], subprotocols=["chat"] if "chat" in sys.argv else None) as connection:
    for message in ["hello", "x" * 1_000_000, "Grüße"]:
        connection.send(message)
        assert connection.recv() == message.upper()
    connection.send(b"\x00\xff" * 50_000)
    assert connection.recv() == b"\x00\xff" * 50_000
print("closed", connection.protocol.close_code)
