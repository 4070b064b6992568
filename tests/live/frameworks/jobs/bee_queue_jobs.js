// bee-queue: jobs with results, progress, retries and delay. Prints one JSON object. Argument: port.
const Queue = require("bee-queue");
const versionOf = require("./version_of");

const redis = { port: Number(process.argv[2]), host: "127.0.0.1" };
const found = { versions: versionOf("bee-queue") };

(async () => {
  const queue = new Queue("bee", { redis, activateDelayedJobs: true, nearTermWindow: 20000, delayedDebounce: 10 });
  await queue.ready();
  const ended = (job) => new Promise((resolve) => {
    job.on("succeeded", (result) => resolve(["succeeded", result]));
    job.on("failed", (error) => resolve(["failed", error.message]));
  });
  const adding = queue.createJob({ n: 4 });
  const progress = new Promise((resolve) => adding.on("progress", resolve));
  const failing = queue.createJob({ fail: true }).retries(2).backoff("immediate");
  let retries = 0;
  failing.on("retrying", () => { retries += 1; });
  const started = Date.now();
  const later = queue.createJob({ n: 5 }).delayUntil(Date.now() + 300);
  const named = queue.createJob({ n: 6 }).setId("named");
  const all = Promise.all([adding, failing, later, named].map(ended));
  await queue.saveAll([adding, failing, later, named]);
  found.again = (await queue.createJob({ n: 6 }).setId("named").save()).id;
  found.health = (await queue.checkHealth()).delayed;
  let running = 0;
  queue.process(2, async (job) => {
    running += 1;
    if (job.data.fail) throw new Error("no");
    job.reportProgress({ half: true });
    return job.data.n + 1;
  });
  found.ended = await all;
  found.delayed = Date.now() - started >= 290;
  found.progress = await progress;
  found.tries = [retries, running];
  const health = await queue.checkHealth();
  found.after = [health.succeeded, health.failed, health.delayed, health.waiting];
  await queue.checkStalledJobs();
  found.job = (await queue.getJob(later.id)).status;
  await queue.close(1000);
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error); process.exit(1); });
