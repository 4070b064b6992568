// What users of ioredis and node-redis do; prints one JSON object. Arguments: port, http port.
const Redis = require("ioredis");
const { createClient } = require("redis");
const WebSocket = require("ws");

const port = Number(process.argv[2]);
const httpPort = Number(process.argv[3]);
const found = {};

async function withIoredis() {
  const r = new Redis(port, "127.0.0.1");
  await new Promise((resolve, reject) => { r.once("ready", resolve); r.once("error", reject); });
  await r.flushall();
  found.ioredisSet = await r.set("k", "v", "EX", 100);
  found.ioredisGet = await r.get("k");
  found.ioredisPipeline = await r.pipeline().set("a", 1).incr("a").get("a").exec();
  found.ioredisMulti = await r.multi().set("b", 5).incrby("b", 2).exec();
  found.ioredisMget = await r.mget("a", "b", "missing");
  const names = [];
  for await (const keys of r.scanStream({ match: "[ab]" })) names.push(...keys);
  found.ioredisScan = names.sort();
  const reply = JSON.parse(await r.call("KV_GET", JSON.stringify({ keys: ["k"] })));
  found.ioredisNative = reply.KV_GET_RSP.keys.k;
  found.ioredisError = await r.call("NOSUCH").catch((error) => error.message.slice(0, 19));
  await r.quit();
}

async function withNodeRedis(RESP) {
  const r = createClient({ url: `redis://127.0.0.1:${port}`, RESP });
  await r.connect();
  const name = `nodeRedis${RESP}`;
  found[`${name}Set`] = await r.set("n", "1", { EX: 100 });
  found[`${name}Incr`] = await r.incr("n");
  found[`${name}Multi`] = await r.multi().set("m", "x").get("m").exec();
  found[`${name}Ttl`] = (await r.ttl("n")) > 90;
  found[`${name}Info`] = (await r.info("server")).includes("redis_version:7.4");
  const names = [];
  for await (const keys of r.scanIterator({ MATCH: "[nm]" })) names.push(...(Array.isArray(keys) ? keys : [keys]));
  found[`${name}Scan`] = names.sort();
  await (r.close ? r.close() : r.quit());
}

async function withWebSocket() {
  const socket = new WebSocket(`ws://127.0.0.1:${httpPort}/`);
  await new Promise((resolve, reject) => { socket.once("open", resolve); socket.once("error", reject); });
  const ask = (request) => new Promise((resolve) => {
    socket.once("message", (data) => resolve(JSON.parse(data.toString())));
    socket.send(JSON.stringify(request));
  });
  found.webSocketSet = await ask({ KV_SET: { keys: { ws: { deep: [1, "ä€", null] } } } });
  found.webSocketGet = await ask({ KV_GET: { keys: ["ws", "n"] } });
  const long = "y".repeat(200000);
  await ask({ KV_SET: { keys: { long } } });
  found.webSocketLong = (await ask({ KV_GET: { keys: ["long"] } })).KV_GET_RSP.keys.long === long;
  const closed = new Promise((resolve) => socket.once("close", (code) => resolve(code)));
  socket.close(1000);
  found.webSocketClose = await closed;
}

withIoredis()
  .then(() => withNodeRedis(2))
  .then(() => withNodeRedis(3))
  .then(withWebSocket)
  .then(() => { console.log(JSON.stringify(found)); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
