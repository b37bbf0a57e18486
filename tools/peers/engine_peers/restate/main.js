// A workflow of no-op steps on Restate. Started by tools/peers/engine.
//
// `main.js serve PORT` runs the service; `main.js drive JSON` is its clients: one measure, answered in one line of JSON.
import http from "node:http";
import http2 from "node:http2";
import * as restate from "@restatedev/restate-sdk";

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

const noop = restate.service({
  name: "noop",
  handlers: {
    steps: async (ctx, count) => {
      for (let i = 1; i <= count; ++i) await ctx.run(`step_${i}`, () => i);
      return count;
    },
  },
});

function percentiles(figures, name, taken) {
  taken.sort((a, b) => a - b);
  for (const percent of [50, 99])
    if (taken.length > 0) figures[`${name}_p${percent}_ms`] = taken[Math.floor((percent / 100) * (taken.length - 1))];
}

function call(agent, url, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method: "POST", headers: { "content-type": "application/json" } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (data) => (text += data));
      answer.on("end", () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(`${answer.statusCode}: ${text}`))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function drive(request) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: request.clients });
  const url = `${request.ingress}/noop/steps`;
  const body = JSON.stringify(request.steps);
  for (let i = 0; i < 20; ++i) await call(agent, url, body); // the first calls open connections
  const taken = [];
  const started = nowMs();
  await Promise.all(
    Array.from({ length: request.clients }, async () => {
      while (nowMs() - started < request.seconds * 1000) {
        const before = nowMs();
        const answer = await call(agent, url, body);
        if (answer !== body) throw new Error(`answered ${answer}`);
        taken.push(nowMs() - before);
      }
    }),
  );
  const figures = { jobs_per_s: taken.length / ((nowMs() - started) / 1000) };
  figures.steps_per_s = figures.jobs_per_s * request.steps;
  percentiles(figures, "cycle", taken);
  console.log(JSON.stringify(figures));
  process.exit(0);
}

const [role, argument] = process.argv.slice(2);
if (role === "serve") {
  const handler = restate.createEndpointHandler({ services: [noop] });
  http2.createServer(handler).listen(Number(argument), "127.0.0.1", () => console.log("serving"));
} else {
  await drive(JSON.parse(argument));
}
