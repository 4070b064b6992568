// BullMQ: delayed, prioritised, repeated, limited, retried and nested jobs, heard through QueueEvents. Prints one JSON object.
// Argument: port.
const { Queue, Worker, FlowProducer, QueueEvents, UnrecoverableError } = require("bullmq");
const versionOf = require("./version_of");

const connection = { port: Number(process.argv[2]), host: "127.0.0.1", maxRetriesPerRequest: null };
const found = { versions: versionOf("bullmq") };
const TIME_MS = 20000;
const opened = [];

function open(thing) {
  opened.push(thing);
  thing.on("error", (error) => console.error(error));
  return thing;
}

async function events(name) {
  const heard = open(new QueueEvents(name, { connection }));
  await heard.waitUntilReady();
  return heard;
}

async function plain() {
  const queue = open(new Queue("plain", { connection }));
  const heard = await events("plain");
  let completed = 0;
  const allCompleted = new Promise((resolve) => heard.on("completed", () => { if (++completed === 6) resolve(); }));
  const progress = new Promise((resolve) => heard.once("progress", ({ data }) => resolve(data)));
  const order = [];
  await queue.addBulk([
    { name: "low", data: { x: 1 }, opts: { priority: 9 } },
    { name: "high", data: { x: 2 }, opts: { priority: 1 } },
    { name: "first", data: { x: 3 } },
    { name: "lifo", data: { x: 4 }, opts: { lifo: true } },
  ]);
  found.plainCounts = await queue.getJobCounts("waiting", "prioritized", "delayed");
  const delayed = await queue.add("delayed", { x: 5 }, { delay: 300 });
  found.plainState = await delayed.getState();
  const failing = await queue.add("failing", {}, { attempts: 3, backoff: { type: "fixed", delay: 20 }, delay: 100 });
  const never = await queue.add("never", {}, { attempts: 3, delay: 100 });
  const same = await Promise.all([1, 2].map(() => queue.add("same", { x: 6 }, { jobId: "same-id" })));
  const worker = open(new Worker("plain", async (job) => {
    if (job.name === "never") throw new UnrecoverableError("never");
    if (job.name === "failing") throw new Error(`try ${job.attemptsMade}`);
    if (job.name === "high") { await job.updateProgress({ half: true }); await job.log("a line"); }
    order.push(job.name);
    return job.data.x * 2;
  }, { connection }));
  found.plainDelayed = [await delayed.waitUntilFinished(heard, TIME_MS)];
  const { timestamp, processedOn } = await queue.getJob(delayed.id);
  found.plainDelayed.push(processedOn - timestamp >= 290);
  const errors = [];
  for (const job of [failing, never]) errors.push(await job.waitUntilFinished(heard, TIME_MS).catch((error) => error.message));
  found.plainErrors = errors;
  await allCompleted;
  found.plainOrder = order.filter((name) => name !== "delayed");
  found.plainSame = same.map((job) => job.id);
  found.plainProgress = await progress;
  const jobs = await queue.getJobs(["completed"]);
  const high = jobs.find((job) => job.name === "high");
  found.plainLogs = (await queue.getJobLogs(high.id)).logs;
  found.plainFailed = (await queue.getFailed()).map((job) => [job.name, job.attemptsMade]).sort();
  await failing.retry();
  await failing.waitUntilFinished(heard, TIME_MS).catch(() => {});
  await worker.close();
  await queue.pause();
  await queue.add("left", {});
  found.plainPaused = [await queue.isPaused(), (await queue.getJobCounts("paused", "waiting"))];
  found.plainCleaned = (await queue.clean(0, 100, "completed")).length;
  await queue.obliterate({ force: true });
  found.plainObliterated = Object.values(await queue.getJobCounts()).reduce((a, b) => a + b);
}

async function repeated() {
  const queue = open(new Queue("repeated", { connection }));
  const heard = await events("repeated");
  const names = [];
  const done = new Promise((resolve) => {
    heard.on("completed", ({ returnvalue }) => { names.push(returnvalue); if (names.length === 3) resolve(); });
  });
  await queue.upsertJobScheduler("often", { every: 200, limit: 3 }, { name: "tick", data: { x: 1 } });
  found.repeatedSchedulers = (await queue.getJobSchedulers()).map((each) => [each.key, each.every]);
  open(new Worker("repeated", async (job) => job.name, { connection }));
  await done;
  found.repeated = names;
  await queue.upsertJobScheduler("nightly", { pattern: "0 3 * * *", tz: "UTC" }, { name: "night" });
  found.repeatedNightly = [(await queue.getDelayed()).map((job) => job.name), await queue.removeJobScheduler("nightly")];
}

async function limited() {
  const queue = open(new Queue("limited", { connection }));
  const heard = await events("limited");
  const jobs = await queue.addBulk([1, 2, 3, 4].map((x) => ({ name: "l", data: { x } })));
  const started = Date.now();
  open(new Worker("limited", async (job) => job.data.x, { connection, limiter: { max: 2, duration: 400 }, concurrency: 4 }));
  found.limited = await Promise.all(jobs.map((job) => job.waitUntilFinished(heard, TIME_MS)));
  found.limitedWaited = Date.now() - started >= 350;
}

async function flows() {
  const flow = open(new FlowProducer({ connection }));
  const heard = await events("parents");
  open(new Worker("children", async (job) => job.data.x + 1, { connection, concurrency: 2 }));
  const total = async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0);
  open(new Worker("parents", total, { connection }));
  const tree = await flow.add({
    name: "root", queueName: "parents",
    children: [
      { name: "c", queueName: "children", data: { x: 1 } },
      { name: "c", queueName: "children", data: { x: 2 } },
      { name: "inner", queueName: "parents", children: [{ name: "c", queueName: "children", data: { x: 9 } }] },
    ],
  });
  found.flow = await tree.job.waitUntilFinished(heard, TIME_MS);
  found.flowDependencies = Object.keys((await tree.job.getDependencies()).processed).length;
}

Promise.all([plain(), repeated(), limited(), flows()])
  .then(() => Promise.all(opened.map((thing) => thing.close())))
  .then(() => console.log(JSON.stringify(found)))
  .catch((error) => { console.error(error); process.exit(1); });
