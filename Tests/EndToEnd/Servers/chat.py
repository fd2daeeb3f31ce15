"""A WebSocket server of PyPI's `websockets`: gives each message back, in capitals. It speaks the subprotocol `shout`."""
import os

from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        connection.send(message.upper())


with serve(echo, os.environ["HOST"], int(os.environ["PORT"]), subprotocols=["shout"]) as server:
    server.serve_forever()
