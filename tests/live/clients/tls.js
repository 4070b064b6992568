// What users of ioredis, node-redis and ws do under TLS; prints one JSON object.
// Arguments: port, http port, file of the authority, and for a client certificate its file and that of its key.
const fs = require("fs");
const Redis = require("ioredis");
const { createClient } = require("redis");
const WebSocket = require("ws");

const port = Number(process.argv[2]);
const httpPort = Number(process.argv[3]);
const [ca, cert, key] = process.argv.slice(4).map((path) => fs.readFileSync(path));
const tls = { ca, cert, key, servername: "localhost" };
const found = {};

async function withIoredis() {
  const r = new Redis({ port, host: "127.0.0.1", tls });
  await new Promise((resolve, reject) => { r.once("ready", resolve); r.once("error", reject); });
  found.ioredisSet = await r.set("k", "v");
  found.ioredisPipeline = await r.pipeline().set("a", 1).incr("a").get("a").exec();
  const long = "x".repeat(2000000);
  await r.set("long", long);
  found.ioredisLong = (await r.get("long")) === long;
  await r.quit();
}

async function withNodeRedis() {
  const r = createClient({ socket: { port, host: "127.0.0.1", tls: true, ...tls } });
  r.on("error", () => {});
  await r.connect();
  found.nodeRedisMulti = await r.multi().set("m", "x").get("m").exec();
  await (r.close ? r.close() : r.quit());
}

async function withWebSocket() {
  const socket = new WebSocket(`wss://localhost:${httpPort}/`, { ca, cert, key });
  await new Promise((resolve, reject) => { socket.once("open", resolve); socket.once("error", reject); });
  const reply = new Promise((resolve) => socket.once("message", (data) => resolve(JSON.parse(data.toString()))));
  socket.send(JSON.stringify({ KV_GET: { keys: ["k"] } }));
  found.webSocketGet = (await reply).KV_GET_RSP.keys;
  const closed = new Promise((resolve) => socket.once("close", (code) => resolve(code)));
  socket.close(1000);
  found.webSocketClose = await closed;
}

withIoredis()
  .then(withNodeRedis)
  .then(withWebSocket)
  .then(() => { console.log(JSON.stringify(found)); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
