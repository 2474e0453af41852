// A meeting over two servers: people's media are at the server that their socket reached, and go from one to the other. They
// see and hear each other as on one, and when a server with some people's media is killed those come back through the other.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Api } from './support/api.mjs';
import { eventually } from './support/eventually.mjs';
import { Postgres, postgres } from './support/postgres.mjs';
import { Salon } from './support/salon.mjs';
import { Stage, THREE_SIZES } from './support/stage.mjs';

let database;
let stage;
let near;

/** What a server has counted. */
async function counted(origin, name) {
  const told = await (await fetch(`${origin}/metrics`)).text();
  const line = told.split('\n').find((each) => each.startsWith(`salon_${name} `));
  return Number(line.split(' ').at(-1));
}

/** Cleo is at the stage's own server, which has the meeting, Ada and Bob at the other. */
async function gathers() {
  const meeting = await stage.api.createMeeting();
  const cleo = await stage.invites('Cleo', meeting, { camera: THREE_SIZES });
  await cleo.joins();
  const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, { through: near.salon.origin })));
  await ada.joins();
  await bob.joins();
  await bob.eventuallyMeets(ada, cleo);
  await Promise.all([
    ada.eventuallySeesAndHears(bob, cleo),
    bob.eventuallySeesAndHears(ada, cleo),
    cleo.eventuallySeesAndHears(ada, bob),
  ]);
  return { meeting, ada, bob, cleo };
}

describe('a meeting over two servers', { skip: !postgres() && 'Postgres is not installed' }, () => {
  before(async () => {
    database = await Postgres.open();
    const settings = { 'database.url': database.url, 'cluster.listen': '127.0.0.1:0', 'cluster.spread': true };
    stage = await Stage.open(import.meta.url, { ...settings, 'node.name': 'far' });
    const salon = await Salon.start('spread-near', { ...settings, 'node.name': 'near' });
    near = { salon, api: new Api(salon.origin) };
  });
  afterEach(() => stage.clear());
  after(async () => {
    await stage?.close();
    await near?.salon.close();
    database?.close();
  });

  test('three people see and hear each other, and what two get of a third goes over once', { timeout: 150_000 }, async (context) => {
    const { ada, bob, cleo } = await gathers();
    const origins = [stage.salon.origin, near.salon.origin];
    const connected = await Promise.all(origins.map((origin) => counted(origin, 'media_connected_transports')));
    assert.deepEqual(connected, [2, 4]);
    // Two tracks of Cleo's are there, four of Ada's and Bob's here.
    const watched = await Promise.all(origins.map((origin) => counted(origin, 'relay_watched')));
    assert.deepEqual(watched, [4, 2]);
    for (const person of [ada, bob, cleo]) await person.times(...[ada, bob, cleo].filter((other) => other !== person));
    await new Promise((done) => setTimeout(done, 5_000));
    for (const person of [ada, bob, cleo]) {
      for (const other of [ada, bob, cleo].filter((other) => other !== person)) {
        const { picture, sound } = await person.longestGaps(other);
        context.diagnostic(`${person.name} saw nothing new of ${other.name} for ${picture} ms, heard nothing for ${sound} ms`);
      }
    }
    for (const origin of origins) {
      const [out, back, lost] = await Promise.all(
        ['relay_packets_out_total', 'relay_packets_in_total', 'relay_lost_total'].map((name) => counted(origin, name)),
      );
      context.diagnostic(`${out} packets went to the other server, ${back} came, ${lost} were lost`);
    }
    // Switched off and on again at the other server.
    await cleo.does((it) => it.self.disableAudio());
    await ada.eventuallyHearsNothingOf(cleo);
    await cleo.does((it) => it.self.enableAudio());
    await Promise.all([ada.eventuallyHears(cleo), bob.eventuallyHears(cleo)]);
    await ada.does((it) => it.self.disableVideo());
    await ada.does((it) => it.self.enableVideo());
    await Promise.all([cleo.eventuallySees(ada), bob.eventuallySees(ada)]);
  });

  test('the server that they reach is killed: they come back through it when it is there again', { timeout: 150_000 }, async (context) => {
    const { meeting, ada, bob, cleo } = await gathers();
    const watch = stage.watches(meeting, { isOneOfMany: true });
    await near.salon.kill();
    const killed = performance.now();
    const since = () => `${((performance.now() - killed) / 1_000).toFixed(1)} s after the kill`;
    await near.salon.startAgain();
    await watch.eventuallyCounts(3, { within: 40_000 });
    context.diagnostic(`all are counted again ${since()}`);
    await Promise.all([
      ada.eventuallySeesAndHears(bob, cleo),
      bob.eventuallySeesAndHears(ada, cleo),
      cleo.eventuallySeesAndHears(ada, bob),
    ]);
    context.diagnostic(`all see and hear each other ${since()}`);
    await eventually('all are switched on', async () => {
      for (const person of [ada, bob, cleo]) {
        assert.deepEqual(await person.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
      }
    });
    await watch.stop();
  });
});
