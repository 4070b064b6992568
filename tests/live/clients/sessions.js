// What users of ioredis, node-redis, ws and Node's own WebSocket see of sessions; prints one JSON object.
// Arguments: port, http port, the token of a session, one that no session has.
const Redis = require("ioredis");
const { createClient } = require("redis");
const WebSocketOfWs = require("ws");

const [port, httpPort, token, unknown] = process.argv.slice(2).map(Number);
const found = {};
const text = (error) => error.message.split(",")[0].slice(0, 60);

async function withIoredis(name, options) {
  const client = new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: 1, retryStrategy: null, ...options });
  client.on("error", () => {}); // what the commands give is looked at
  found[name] = await client.set("greeting", name).then((reply) => reply, text);
  client.disconnect();
}

async function withNodeRedis(name, options) {
  const client = createClient({ socket: { port, host: "127.0.0.1", reconnectStrategy: false }, ...options });
  client.on("error", () => {});
  try {
    await client.connect();
    found[name] = await client.set("greeting", name);
  } catch (error) {
    found[name] = text(error);
  }
  client.destroy();
}

// The replies of a WebSocket to requests that are sent one after the other; "refused" where it does not open.
function withWebSocket(name, url, Kind, requests) {
  return new Promise((resolve) => {
    const socket = new Kind(url);
    const replies = [];
    const end = (value) => { found[name] = value; socket.onerror = () => {}; socket.close(); resolve(); };
    const next = () => socket.send(JSON.stringify(requests[replies.length]));
    socket.onopen = next;
    socket.onerror = () => end("refused");
    socket.onmessage = (message) => {
      replies.push(Object.values(JSON.parse(message.data))[0].st);
      if (replies.length === requests.length) end(replies);
      else next();
    };
  });
}

async function main() {
  for (const [kind, value] of [["", token], ["Unknown", unknown]]) {
    await withIoredis(`ioredisDb${kind}`, { db: value });
    await withIoredis(`ioredisUser${kind}`, { username: "session", password: String(value) });
    await withNodeRedis(`nodeRedisDb${kind}`, { database: value });
    await withNodeRedis(`nodeRedisUser${kind}`, { username: "session", password: String(value) });
    await withNodeRedis(`nodeRedis3${kind}`, { RESP: 3, username: "session", password: String(value) });
    const set = { KV_SET: { keys: { socket: kind } } };
    const kinds = { ws: WebSocketOfWs, ...(globalThis.WebSocket ? { own: globalThis.WebSocket } : {}) };
    for (const [maker, Kind] of Object.entries(kinds)) {
      const url = `ws://127.0.0.1:${httpPort}/`;
      await withWebSocket(`${maker}Enter${kind}`, url, Kind, [{ SH_ENTER: { tkn: value } }, set]);
      await withWebSocket(`${maker}Token${kind}`, url, Kind, [{ KV_SET: { ...set.KV_SET, tkn: value } }]);
    }
    await withWebSocket(`wsUser${kind}`, `ws://session:${value}@127.0.0.1:${httpPort}/`, WebSocketOfWs, [set]);
  }
}

main()
  .then(() => { console.log(JSON.stringify(found)); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
