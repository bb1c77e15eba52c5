"""The unmodified Python `websockets` client against the echo backend: client.py URL none|deflate."""

import asyncio
import json
import sys

import websockets


async def main(url, compression):
    options = {"compression": None if compression == "none" else compression, "max_size": 64 << 20}
    async with websockets.connect(f"{url}/from/python?x=1", subprotocols=["chat.v2", "chat.v1"], **options) as socket:
        assert socket.subprotocol == "chat.v1", socket.subprotocol
        await socket.send("!about")
        about = json.loads(await socket.recv())
        assert about["path"] == "/from/python?x=1", about
        negotiated = bool(socket.protocol.extensions)
        assert negotiated == (compression == "deflate"), socket.protocol.extensions

        for message in ["", "plain", "ünïcödé ☃ 𝄞", b"", bytes(range(256)) * 512, bytes(range(256)) * (16 << 12)]:
            await socket.send(message)
            got = await socket.recv()
            assert got == message, f"{type(message)} of {len(message)} came back as {type(got)} of {len(got)}"

        for number in range(500):
            await socket.send(str(number))
        for number in range(500):
            assert await socket.recv() == str(number)

        await socket.send(["in ", "three ", "fragments"])
        assert await socket.recv() == "in three fragments"
        await (await socket.ping())
        await socket.close(4003, "from Python")
        assert socket.close_code == 4003, socket.close_code

    async with websockets.connect(url, **options) as socket:
        await socket.send("!close 4001 see you")
        try:
            await socket.recv()
            raise AssertionError("the close did not arrive")
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "see you"), closed

    try:
        await websockets.connect(f"{url}/refused", **options)
        raise AssertionError("the refusal did not arrive")
    except websockets.InvalidStatus as refused:
        assert refused.response.status_code == 403, refused
    print("ok")


asyncio.run(main(*sys.argv[1:]))
