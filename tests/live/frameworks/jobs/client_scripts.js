// Scripts and functions by ioredis and node-redis; redlock and rate-limiter-flexible on ioredis. Prints one JSON object.
// Argument: port.
const Redis = require("ioredis");
const { createClient, defineScript } = require("redis");
const Redlock = require("redlock");
const { RateLimiterRedis, BurstyRateLimiter, RateLimiterQueue } = require("rate-limiter-flexible");
const versionOf = require("./version_of");

const port = Number(process.argv[2]);
const found = { versions: versionOf("ioredis", "redis", "redlock", "rate-limiter-flexible") };

async function withIoredis(r) {
  r.defineCommand("both", { numberOfKeys: 2, lua: "return {KEYS[1], KEYS[2], ARGV[1], redis.call('INCR', KEYS[1])}" });
  r.defineCommand("fail", { numberOfKeys: 0, lua: "return redis.error_reply('MINE not today')" });
  found.ioredisCommand = [await r.both("a", "b", "x"), await r.both("a", "b", "y")];
  found.ioredisError = await r.fail().catch((error) => error.message);
  await r.script("FLUSH");
  found.ioredisPipeline = await r.pipeline().set("a", 10).both("a", "b", "p").get("a").both("a", "b", "q").exec();
  found.ioredisMulti = await r.multi().both("a", "b", "m").get("a").exec();
  const buffers = await r.bothBuffer("a", "b", Buffer.from([0, 255]));
  found.ioredisBuffer = buffers[2].toString("hex");
}

async function withNodeRedis(RESP) {
  const LIBRARY = `#!lua name=lib${RESP}
    redis.register_function{function_name='addup${RESP}', callback=function(keys, args)
      return redis.call('GET', keys[1]) + args[1] end, flags={'no-writes'}}
    redis.register_function('put${RESP}', function(keys, args) return redis.call('SET', keys[1], args[1]) end)`;
  const ofKey = (name, ...more) => ({
    [name]: { NUMBER_OF_KEYS: 1, ...more[0], parseCommand(parser, key, value) { parser.pushKey(key); parser.push(value); },
      transformReply: (reply) => reply },
  });
  const r = createClient({
    url: `redis://127.0.0.1:${port}`, RESP,
    scripts: {
      half: defineScript({
        SCRIPT: "return {ok = 'HALF ' .. redis.call('GET', KEYS[1]) / ARGV[1]}", NUMBER_OF_KEYS: 1,
        parseCommand(parser, key, value) { parser.pushKey(key); parser.push(value); }, transformReply: (reply) => reply,
      }),
    },
    functions: { [`lib${RESP}`]: { ...ofKey(`addup${RESP}`, { IS_READ_ONLY: true }), ...ofKey(`put${RESP}`) } },
  });
  await r.connect();
  const name = `nodeRedis${RESP}`;
  found[`${name}Loaded`] = await r.functionLoad(LIBRARY, { REPLACE: true });
  const library = r[`lib${RESP}`];
  found[`${name}Functions`] = [await library[`put${RESP}`]("n", "40"), await library[`addup${RESP}`]("n", "2")];
  found[`${name}Script`] = [await r.half("n", "4"), await r.half("n", "8")];
  await r.scriptFlush();
  found[`${name}Multi`] = await r.multi().set("n", "6").half("n", "2").exec();
  found[`${name}List`] = (await r.functionList({ LIBRARYNAME: `lib${RESP}` }))[0].library_name;
  const dumped = await r.withTypeMapping({ [require("redis").RESP_TYPES.BLOB_STRING]: Buffer }).functionDump();
  found[`${name}Restored`] = [await r.functionDelete(`lib${RESP}`), await r.functionRestore(dumped, { mode: "REPLACE" })];
  found[`${name}Again`] = await library[`addup${RESP}`]("n", "1");
  await r.close();
}

async function withRedlock(r) {
  const redlock = new Redlock([r], { retryCount: 0 });
  const patient = new Redlock([r], { retryCount: 200, retryDelay: 10, retryJitter: 0 });
  let lock = await redlock.lock("locked", 30000);
  found.redlockSecond = await redlock.lock("locked", 30000).catch((error) => error.name);
  lock = await lock.extend(60000);
  found.redlockExtended = (await r.pttl("locked")) > 50000;
  const waiting = patient.lock("locked", 30000);
  await lock.unlock();
  const next = await waiting;
  found.redlockStale = await lock.extend(1000).catch((error) => error.name);
  await next.unlock();
  found.redlockLeft = await r.exists("locked");
  const several = await redlock.lock(["x", "y"], 30000);
  found.redlockSeveral = [await r.exists("x", "y"), await redlock.lock("y", 1000).catch((error) => error.name)];
  await several.unlock();
}

async function withLimiter(r) {
  const limiter = new RateLimiterRedis({ storeClient: r, points: 2, duration: 60, blockDuration: 100, keyPrefix: "rlf" });
  const tries = [];
  for (let i = 0; i < 3; i++) {
    const answer = await limiter.consume("anna").catch((refused) => refused);
    tries.push([answer.consumedPoints, answer.remainingPoints]);
  }
  found.limiter = tries;
  found.limiterBlocked = (await limiter.get("anna")).msBeforeNext > 60000;
  found.limiterReward = (await limiter.reward("berta", 3)).consumedPoints;
  found.limiterPenalty = (await limiter.penalty("berta", 5)).consumedPoints;
  found.limiterDeleted = [await limiter.delete("anna"), await limiter.get("anna")];
  const insured = new RateLimiterRedis({ storeClient: r, points: 1, duration: 1, keyPrefix: "short" });
  const queue = new RateLimiterQueue(insured);
  const started = Date.now();
  found.limiterQueue = [await queue.removeTokens(1, "q"), await queue.removeTokens(1, "q")];
  found.limiterQueueWaited = Date.now() - started > 500;
  const bursty = new BurstyRateLimiter(
    new RateLimiterRedis({ storeClient: r, points: 1, duration: 60, keyPrefix: "steady" }),
    new RateLimiterRedis({ storeClient: r, points: 1, duration: 60, keyPrefix: "burst" }));
  found.limiterBursty = [];
  for (let i = 0; i < 3; i++) found.limiterBursty.push(await bursty.consume("k").then(() => true, () => false));
}

(async () => {
  const r = new Redis(port, "127.0.0.1");
  await withIoredis(r);
  await withNodeRedis(2);
  await withNodeRedis(3);
  await withRedlock(r);
  await withLimiter(r);
  await r.quit();
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
