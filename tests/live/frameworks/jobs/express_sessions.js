// express-session in connect-redis, by requests on loopback. Prints one JSON object. Argument: port.
const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient } = require("redis");
const versionOf = require("./version_of");

const found = { versions: versionOf("express-session", "connect-redis", "express") };

(async () => {
  const client = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  await client.connect();
  const store = new RedisStore({ client, prefix: "s:", ttl: 100 });
  const app = express();
  app.use(session({ store, secret: "not secret", resave: false, saveUninitialized: false }));
  app.get("/count", (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.send(String(request.session.visits));
  });
  app.get("/in", (request, response) => request.session.regenerate(() => {
    request.session.user = "anna";
    response.send("in");
  }));
  app.get("/leave", (request, response) => request.session.destroy(() => response.send("left")));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const visitor = () => {
    let cookie = "";
    return async (path) => {
      const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { cookie } });
      cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? cookie;
      return answer.text();
    };
  };
  const anna = visitor(), berta = visitor();
  found.visits = [await anna("/count"), await anna("/count"), await berta("/count"), await anna("/count")];
  found.stored = [await store.length(), (await store.ids()).length, (await store.all()).map((each) => each.visits).sort()];
  const ttls = await Promise.all((await client.keys("s:*")).map((key) => client.ttl(key)));
  found.ttls = ttls.map((ttl) => ttl > 90 && ttl <= 100);
  await anna("/in");
  found.afterLogin = [await anna("/count"), await store.length()];
  await anna("/leave");
  found.afterLeaving = [await store.length(), await anna("/count")];
  await store.clear();
  found.cleared = await store.length();
  await client.close();
  server.close();
  server.closeAllConnections();
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
