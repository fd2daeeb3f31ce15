"""A worker that shares memory with the host, written from docs/worker-protocol.md; its argument says how it misbehaves.

It looks into the memory again and again instead of sleeping, and rings after all that it does.
"""
import mmap
import os
import socket
import struct
import sys
import time

CAPACITY = 128 << 10
RING = 256 + CAPACITY
WRITTEN, TAKEN = 0, 64

mode = sys.argv[1]
host = socket.socket(fileno=3)


def frame(kind, payload, call=0, flags=0):
    return struct.pack("<IBBHI", len(payload), kind, flags, 0, call) + payload


def string(text):
    return struct.pack("<I", len(text)) + text.encode()


hello = frame(0x01, struct.pack("<HH", 1, 1 | 1 << 14) + string("test"))
host.sendall(hello + b"\x07" if mode == "early" else hello)
_, descriptors, _, _ = socket.recv_fds(host, 4096, 1)
memory = mmap.mmap(descriptors[0], 2 * RING)


def word(ring, offset):
    return struct.unpack_from("<I", memory, ring * RING + offset)[0]


def set_word(ring, offset, value):
    struct.pack_into("<I", memory, ring * RING + offset, value & 0xFFFFFFFF)


def ring_bell():
    host.sendall(b"\x01")


def receive(count):
    data = b""
    while len(data) < count:
        taken = word(0, TAKEN)
        if word(0, WRITTEN) == taken:
            time.sleep(0.001)
            continue
        place = 256 + taken % CAPACITY
        data += memory[place:place + 1]
        set_word(0, TAKEN, taken + 1)
    return data


def send(data, bell=True):
    written = word(1, WRITTEN)
    for index, byte in enumerate(data):
        memory[RING + 256 + (written + index) % CAPACITY] = byte
    set_word(1, WRITTEN, written + len(data))
    if bell:
        ring_bell()


def response(call, text):
    return frame(0x20, struct.pack("<HI", 200, 0) + text, call, 1)


while True:
    length, kind, _, _, call = struct.unpack("<IBBHI", receive(12))
    receive(length)
    if kind == 0x05:
        sys.exit(0)
    if mode == "pieces":
        for byte in response(call, b"ok"):
            send(bytes([byte]))
            time.sleep(0.005)
    elif mode == "ends":
        send(response(call, b"ok"), bell=False)
        os._exit(0)
    elif mode == "written":
        set_word(1, WRITTEN, word(1, TAKEN) + CAPACITY + 1)
        ring_bell()
    elif mode == "taken":
        set_word(0, TAKEN, word(0, WRITTEN) + 1)
        send(response(call, b"ok"))
        time.sleep(60)
    elif mode == "noise":
        host.sendall(b"\x01\x02")
        time.sleep(60)
    elif mode == "truncate":
        try:
            os.ftruncate(descriptors[0], 0)
            send(response(call, b"truncated"))
        except PermissionError:
            send(response(call, b"refused"))
    else:
        send(response(call, b"ok"))
