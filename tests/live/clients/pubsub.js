// Pub/Sub, blocking pops and sorted sets as users of ioredis and node-redis have them; prints one JSON object. Argument: port.
const Redis = require("ioredis");
const { createClient } = require("redis");

const port = Number(process.argv[2]);
const found = {};

async function withIoredis() {
  const listener = new Redis(port, "127.0.0.1");
  const r = new Redis(port, "127.0.0.1");
  const heard = [];
  listener.on("message", (channel, message) => heard.push([channel, message]));
  const whole = new Promise((resolve) => listener.on("pmessage", (pattern, channel, message) => {
    heard.push([pattern, channel, message]);
    resolve();
  }));
  await listener.subscribe("news");
  await listener.psubscribe("n*");
  found.ioredisReached = await r.publish("news", "hello");
  await whole;
  found.ioredisHeard = heard;
  await r.del("queue", "board", "tags");
  const waiting = listener.duplicate();
  const popped = waiting.blpop("queue", 5);
  await r.rpush("queue", "job");
  found.ioredisPopped = await popped;
  await r.zadd("board", 3, "c", 1, "a", 2, "b");
  found.ioredisBoard = await r.zrange("board", 0, -1, "WITHSCORES");
  await r.sadd("tags", "x", "y");
  found.ioredisTags = (await r.smembers("tags")).sort();
  for (const each of [listener, waiting, r]) each.disconnect();
}

async function withNodeRedis(RESP) {
  const r = await createClient({ url: `redis://127.0.0.1:${port}`, RESP }).connect();
  const listener = await r.duplicate().connect();
  const heard = new Promise((resolve) => listener.subscribe("news", (message, channel) => resolve([channel, message])).then(
    () => r.publish("news", `from ${RESP}`)));
  found[`nodeRedis${RESP}Heard`] = await heard;
  await r.zAdd("board", [{ score: 1.5, value: "d" }]);
  found[`nodeRedis${RESP}Score`] = await r.zScore("board", "d");
  found[`nodeRedis${RESP}Member`] = Boolean(await r.sIsMember("tags", "x"));
  for (const each of [listener, r]) await (each.close ? each.close() : each.quit());
}

(async () => {
  await withIoredis();
  await withNodeRedis(2);
  await withNodeRedis(3);
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
