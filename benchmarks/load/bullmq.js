// Adds jobs to a queue of BullMQ, so many at a time: node bullmq.js MODULES PORT COUNT TOGETHER. Prints jobs a second.
const { createRequire } = require('module');
const [modules, port, count, together] = process.argv.slice(2);
const { Queue } = createRequire(`${modules}/`)('bullmq');

(async () => {
  const queue = new Queue('jobs', { connection: { host: '127.0.0.1', port: Number(port) } });
  await queue.waitUntilReady();
  const started = process.hrtime.bigint();
  for (let done = 0; done < count; done += Number(together)) {
    const jobs = [];
    for (let i = 0; i < together; i++) jobs.push(queue.add('job', { user: 1, text: 'hello' }));
    await Promise.all(jobs);
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const counts = await queue.getJobCounts('wait');
  if (counts.wait < count) throw new Error(`${counts.wait} jobs wait`);
  console.log(count / seconds);
  await queue.close();
})().catch((error) => { console.error(error); process.exit(1); });
