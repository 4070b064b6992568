"""python-socketio: two servers, two clients, and a process that only emits. Prints one JSON object. Argument: port."""

import asyncio
import json
import sys
from importlib.metadata import version

import socketio
from aiohttp import web

port = int(sys.argv[1])
url = f"redis://127.0.0.1:{port}"
# What another process does: it has no clients, it writes to the channel.
OUTSIDE = """
import socketio, sys
manager = socketio.RedisManager(sys.argv[1], write_only=True)
manager.emit("news", {"text": "from outside"})
manager.emit("news", {"text": "to the room"}, room="room")
manager.emit("last", b"\\x00\\xff")
"""


async def start():
    server = socketio.AsyncServer(async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(url))

    @server.event
    async def enter(sid, room):
        await server.enter_room(sid, room)
        return "entered"

    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return server, runner, site._server.sockets[0].getsockname()[1]


async def connect(server_port, heard):
    client = socketio.AsyncClient()
    done = asyncio.Event()
    client.on("news", lambda data: heard.append(data["text"]))

    @client.on("last")
    async def last(data):
        heard.append(data.hex())
        done.set()

    @client.on("ask")
    async def ask(data):
        return data * 2

    await client.connect(f"http://127.0.0.1:{server_port}", transports=["websocket"])
    return client, done


async def main():
    import redis.asyncio

    one, one_runner, one_port = await start()
    two, two_runner, two_port = await start()
    first_heard, second_heard = [], []
    first, first_done = await connect(one_port, first_heard)
    second, second_done = await connect(two_port, second_heard)
    r = redis.asyncio.Redis(port=port)
    while (await r.pubsub_numsub("socketio"))[0][1] != 2:
        pass
    found = {"version": version("python-socketio"), "room": await first.call("enter", "room", timeout=20)}
    outside = await asyncio.create_subprocess_exec(sys.executable, "-c", OUTSIDE, url)
    await outside.wait()
    await first_done.wait()
    await second_done.wait()
    found["heard"] = [first_heard, second_heard]
    # The client of one server is asked by the other one.
    found["answer"] = await one.call("ask", 21, to=next(iter(two.manager.rooms["/"][None])), timeout=20)
    await first.disconnect()
    await second.disconnect()
    await r.aclose()
    await one.shutdown()
    await two.shutdown()
    await one_runner.cleanup()
    await two_runner.cleanup()
    return found


print(json.dumps(asyncio.run(asyncio.wait_for(main(), 40))))
