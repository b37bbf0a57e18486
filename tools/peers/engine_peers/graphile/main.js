// No-op jobs on graphile-worker: one measure a run, asked for in one JSON argument, answered in one line of JSON. Started by
// tools/peers/engine. Clients have the main thread, the worker a thread of its own.
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { setTimeout as pause } from "node:timers/promises";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";

const BACKLOG_MAX = 2000; // clients hold back beyond it
const nothing = new Logger(() => () => {});
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function runWorker({ request, began }) {
  const options = { extends: [], worker: { connectionString: request.database, logger: nothing, ...request.worker } };
  const tasks = {
    noop: async () => {
      Atomics.add(began, 0, 1);
      if (request.measure === "pickup") parentPort.postMessage({ began: nowMs() });
    },
  };
  await run({ preset: options, taskList: tasks, noHandleSignals: true });
  parentPort.postMessage({ ready: true });
}

/** Starts the worker; resolves when it looks for jobs. */
async function startWorker(request, began, heard) {
  const thread = new Worker(new URL(import.meta.url), { workerData: { request, began } });
  thread.on("error", (error) => {
    console.error("graphile-worker:", error);
    process.exit(1);
  });
  await new Promise((ready) => thread.on("message", (message) => (message.ready ? ready() : heard(message.began))));
}

function percentiles(figures, name, taken) {
  taken.sort((a, b) => a - b);
  for (const percent of [50, 99])
    if (taken.length > 0) figures[`${name}_p${percent}_ms`] = taken[Math.floor((percent / 100) * (taken.length - 1))];
}

async function main(request) {
  const utils = await makeWorkerUtils({ connectionString: request.database, maxPoolSize: 10, logger: nothing });
  await utils.migrate();
  const pool = new pg.Pool({ connectionString: request.database, max: request.connections ?? 10 });
  // Either the function that the library offers, or its SQL function as a prepared statement.
  const insertOne = request.prepared
    ? () => pool.query({ name: "add", text: "SELECT graphile_worker.add_job('noop', '{}'::json)" })
    : () => utils.addJob("noop", {});
  const batch = Array.from({ length: request.batch ?? 0 }, () => ({ identifier: "noop", payload: {} }));
  const lengthMs = request.seconds * 1000;
  const began = new Int32Array(new SharedArrayBuffer(4));
  const left = async () => Number((await pool.query("SELECT count(*) FROM graphile_worker._private_jobs")).rows[0].count);
  const figures = {};
  let started = nowMs();
  let inserted = 0;
  const clients = (client) => Promise.all(Array.from({ length: request.clients }, client));

  if (request.measure === "insert") {
    const taken = [];
    await clients(async () => {
      while (nowMs() - started < lengthMs) {
        const before = nowMs();
        await insertOne();
        taken.push(nowMs() - before);
      }
    });
    figures.jobs_per_s = taken.length / ((nowMs() - started) / 1000);
    percentiles(figures, "admit", taken);
  } else if (request.measure === "bulk") {
    await clients(async () => {
      while (nowMs() - started < lengthMs) inserted += (await utils.addJobs(batch)).length;
    });
    figures.jobs_per_s = inserted / ((nowMs() - started) / 1000);
  } else if (request.measure === "cycle") {
    // Clients insert one job each while the worker works.
    await startWorker(request, began);
    started = nowMs();
    await clients(async () => {
      while (nowMs() - started < lengthMs) {
        await insertOne();
        ++inserted;
        while (inserted - Atomics.load(began, 0) > BACKLOG_MAX && nowMs() - started < lengthMs) await pause(1);
      }
    });
    const elapsedMs = nowMs() - started;
    figures.jobs_per_s = (inserted - (await left())) / (elapsedMs / 1000);
  } else if (request.measure === "drain") {
    // A backlog that stands there when the worker starts.
    await clients(async () => {
      while (inserted < request.backlog) {
        inserted += batch.length;
        await utils.addJobs(batch);
      }
    });
    await startWorker(request, began);
    started = nowMs();
    const before = await left();
    while (Atomics.load(began, 0) < inserted && nowMs() - started < lengthMs) await pause(1);
    let elapsedMs = nowMs() - started;
    let remaining = await left();
    while (Atomics.load(began, 0) === inserted && remaining > 0) {
      await pause(10);
      elapsedMs = nowMs() - started;
      remaining = await left();
    }
    figures.jobs_per_s = (before - remaining) / (elapsedMs / 1000);
  } else if (request.measure === "pickup") {
    // One job at a time: from the acknowledged insert to the beginning of its work.
    let heard;
    await startWorker(request, began, (at) => heard(at));
    await pause(500);
    started = nowMs();
    const taken = [];
    while (nowMs() - started < lengthMs) {
      const beginning = new Promise((resolve) => (heard = resolve));
      await insertOne();
      const acknowledged = nowMs();
      taken.push(Math.max(0, (await beginning) - acknowledged));
    }
    percentiles(figures, "pickup", taken);
  } else {
    throw new Error(`no measure '${request.measure}'`);
  }
  console.log(JSON.stringify(figures));
  process.exit(0);
}

if (isMainThread) await main(JSON.parse(process.argv[2]));
else await runWorker(workerData);
