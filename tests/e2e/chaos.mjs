// Two servers that share a Postgres and a NATS, three people who talk, and whatever can happen to servers, at random and
// for as long as wanted. What is told must hold all the time, at both; after each blow everybody must see and hear everybody.
// `scripts/chaos --help`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as passes } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Api } from './support/api.mjs';
import { eventually } from './support/eventually.mjs';
import { freePorts } from './support/ports.mjs';
import { Postgres } from './support/postgres.mjs';
import { Salon } from './support/salon.mjs';
import { CAST, Stage } from './support/stage.mjs';

/** The web SDK tries at least each 10 s to come back, and asks for new connections after it has. */
const WELL_WITHIN = { within: 90_000 };

/** How often the next blow falls before all is well after the last. */
const TWICE = 0.3;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
  },
});

/** Random numbers that a seed repeats: mulberry32. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomFrom(Number(values.seed));
const between = (least, most) => least + random() * (most - least);
const one = (all) => all[Math.floor(random() * all.length)];

class Nats {
  #port;
  #server;

  static async open() {
    const nats = new Nats();
    nats.#port = await freePorts(1);
    nats.start();
    process.once('exit', () => nats.stop());
    return nats;
  }

  get url() {
    return `nats://127.0.0.1:${this.#port}`;
  }

  start() {
    this.#server = spawn('nats-server', ['-a', '127.0.0.1', '-p', this.#port], { stdio: 'ignore' });
    this.#server.once('error', () => console.log('nats-server is not installed: the nodes go on without it'));
  }

  stop() {
    this.#server.kill('SIGKILL');
  }
}

const database = await Postgres.open();
const nats = await Nats.open();
const shared = { 'database.url': database.url, 'cluster.listen': '127.0.0.1:0', 'cluster.nats_url': nats.url };
const stage = await Stage.open(import.meta.url, { ...shared, 'node.name': 'far' });
const near = await Salon.start('chaos-near', { ...shared, 'node.name': 'near' });
const nodes = { far: stage.salon, near };
const apis = { far: stage.api, near: new Api(near.origin) };

const meeting = await stage.api.createMeeting({ title: 'Chaos' });
const people = await Promise.all(
  Object.keys(CAST).map((name, index) => stage.invites(name, meeting, { through: index === 0 ? near.origin : stage.salon.origin })),
);
const inside = new Set();
const watches = Object.values(apis).map((api) => stage.watches(meeting, { api, isOneOfMany: true }));

async function comes(person) {
  // A server that is not there for a moment refuses; people press the button again.
  await eventually(`${person.name} comes in`, () => person.joins(), WELL_WITHIN);
  inside.add(person);
}

/** Everybody who is in sees and hears everybody else, and both servers count them. */
async function allIsWell() {
  const here = [...inside];
  for (const person of here) {
    const others = here.filter((other) => other !== person);
    await eventually(`${person.name} sees and hears the others`, () => person.eventuallySeesAndHears(...others), WELL_WITHIN);
  }
  for (const [name, api] of Object.entries(apis)) {
    await eventually(`${name} counts ${here.length}`, async () => {
      assert.equal((await api.activeSession(meeting))?.live_participants, here.length);
    }, WELL_WITHIN);
  }
}

/** What can happen, and how it is told. */
const BLOWS = {
  async kill(node) {
    await nodes[node].kill();
    await passes(between(0, 3_000));
    await nodes[node].startAgain();
  },
  async stop(node) {
    await nodes[node].stop();
    await passes(between(0, 1_000));
    await nodes[node].startAgain();
  },
  async stall(node) {
    nodes[node].signal('SIGSTOP');
    await passes(between(200, 4_000));
    nodes[node].signal('SIGCONT');
  },
  async postgres() {
    await database.standsStillFor(between(500, 9_000));
  },
  async nats() {
    nats.stop();
    await passes(between(500, 5_000));
    nats.start();
  },
  async person() {
    const at = Math.floor(random() * people.length);
    const who = people[at];
    if (inside.delete(who)) await who.goesAway();
    if (inside.size > 1 && random() < 0.5) return;
    for (const [index, person] of people.entries()) {
      if (inside.has(person)) continue;
      people[index] = await stage.opensAgain(person);
      await comes(people[index]);
    }
  },
};
const wanted = values.only?.split(',') ?? Object.keys(BLOWS);

const began = performance.now();
const until = began + Number(values.minutes) * 60_000;
const clock = () => `${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s`;
const took = {};
let failed = null;
console.log(`seed ${values.seed}, ${values.minutes} minutes`);
try {
  for (const person of people) await comes(person);
  await allIsWell();
  console.log(`${clock()}  everybody sees and hears everybody`);
  while (performance.now() < until) {
    const [blow, node] = [one(wanted), one(Object.keys(nodes))];
    const name = ['kill', 'stop', 'stall'].includes(blow) ? `${blow} ${node}` : blow;
    console.log(`${clock()}  ${name}  (${new Date().toISOString()})`);
    await BLOWS[blow](node);
    if (random() < TWICE) continue;
    const done = performance.now();
    await allIsWell();
    const seconds = (performance.now() - done) / 1_000;
    (took[blow] ??= []).push(seconds);
    console.log(`${clock()}  all is well, ${seconds.toFixed(1)} s after it`);
    await passes(between(0, 5_000));
  }
  await allIsWell();
} catch (error) {
  failed = error;
}
for (const watch of watches) await watch.stop().catch((error) => (failed ??= error));
for (const [blow, seconds] of Object.entries(took)) {
  const sorted = seconds.toSorted((a, b) => a - b);
  console.log(`${blow}: ${sorted.length} times, all well after ${sorted[sorted.length >> 1].toFixed(1)} s, ${sorted.at(-1).toFixed(1)} s at most`);
}
await stage.close().catch(() => {});
await near.close();
nats.stop();
database.close();
if (failed) {
  console.error(`seed ${values.seed} failed: ${failed.stack}`);
  process.exit(1);
}
console.log('What was told never fell, nobody was counted who was not there, and everybody came back.');
process.exit(0);
