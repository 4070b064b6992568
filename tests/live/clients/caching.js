// Client-side caching with ioredis (RESP2, REDIRECT to a second connection) and with node-redis (RESP3); prints one JSON
// object. Argument: port.
const Redis = require("ioredis");
const { createClient, BasicClientSideCache } = require("redis");

const port = Number(process.argv[2]);
const found = {};

async function until(holds) {
  const deadline = Date.now() + 10000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${holds}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function withIoredis() {
  const options = { protocol: 2 };
  const [reader, ear, writer] = [1, 2, 3].map(() => new Redis(port, "127.0.0.1", options));
  await writer.flushall();
  const told = [];
  ear.on("message", (channel, keys) => told.push([channel, keys]));
  const id = await ear.client("ID");
  await ear.subscribe("__redis__:invalidate");
  found.ioredisOn = await reader.client("TRACKING", "ON", "REDIRECT", id);
  found.ioredisRedirect = (await reader.client("GETREDIR")) === id;
  await writer.set("user:1", "anna");
  found.ioredisRead = await reader.get("user:1");
  await reader.hgetall("user:2");
  await writer.set("other", "x");
  await writer.set("user:1", "berta");
  await until(() => told.length >= 1);
  await writer.hset("user:2", "name", "carla");
  await until(() => told.length >= 2);
  found.ioredisAgain = await reader.get("user:1");
  const waiting = reader.xread("BLOCK", 0, "STREAMS", "log", "$");
  await until(async () => /blocked_clients:[1-9]/.test(await writer.info("clients")));
  await writer.xadd("log", "1-1", "f", "v");
  found.ioredisWaited = await waiting;
  await until(() => told.length >= 3);
  await writer.mset("user:1", "dora", "other", "y");
  await until(() => told.length >= 4);
  found.ioredisOff = await reader.client("TRACKING", "OFF");
  found.ioredisTold = told.map(([channel, keys]) => [channel, [].concat(keys).map(String)]);
  for (const client of [reader, ear, writer]) client.disconnect();
}

async function withNodeRedis() {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 });
  const cached = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 3, clientSideCache: cache });
  const writer = createClient({ url: `redis://127.0.0.1:${port}` });
  await Promise.all([cached.connect(), writer.connect()]);
  await writer.flushAll();
  const calls = async () => Number(/cmdstat_get:calls=(\d+)/.exec(await writer.info("commandstats"))?.[1] ?? 0);
  await writer.set("k", "1");
  const before = await calls();
  found.nodeRedisReads = [await cached.get("k"), await cached.get("k"), await cached.get("k")];
  found.nodeRedisAsked = (await calls()) - before;
  await writer.set("k", "2");
  await until(async () => (await cached.get("k")) === "2");
  found.nodeRedisHash = await cached.hGetAll("h");
  await writer.hSet("h", "f", "v");
  await until(async () => (await cached.hGetAll("h")).f === "v");
  await writer.flushAll();
  await until(async () => (await cached.get("k")) === null);
  found.nodeRedisHits = cache.stats().hitCount >= 2;
  cached.destroy();
  writer.destroy();
}

withIoredis()
  .then(withNodeRedis)
  .then(() => console.log(JSON.stringify(found)))
  .catch((error) => { console.error(error); process.exitCode = 1; });
