// A meeting over two servers: people's media are at the server that their socket reached, and go from one to the other. They
// see and hear each other as on one; when a server becomes another program, or is killed and started again, that is a pause; and
// when the one with the meeting is killed for good, those at the other go on as if nothing had happened.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Api } from './support/api.mjs';
import { eventually } from './support/eventually.mjs';
import { freePorts } from './support/ports.mjs';
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

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Settings of a server that has the same ports in all its runs. */
async function settled(name, url) {
  const [media, cluster] = [await freePorts(2), await freePorts(1)];
  return {
    'database.url': url,
    'node.name': name,
    'cluster.listen': `127.0.0.1:${cluster}`,
    'cluster.spread': true,
    'media.resume': true,
    'media.port': media,
    'media.threads': 2,
  };
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
  await allSeeAndHear(ada, bob, cleo);
  return { meeting, ada, bob, cleo };
}

const pairs = (people) => people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other]));

async function allSeeAndHear(...people) {
  await Promise.all(pairs(people).map(([one, other]) => one.eventuallySeesAndHears(other)));
}

/** The longest times in which somebody saw, or heard, nothing of somebody, until some time after `happens`, in words. */
async function gapsWhile(people, happens, after) {
  for (const person of people) await person.asks(() => window.person.iceChanges());
  for (const [one, other] of pairs(people)) await one.times(other);
  await happens();
  await after();
  const all = await Promise.all(pairs(people).map(async ([one, other]) => [one, other, await one.longestGaps(other)]));
  const longest = (what) => {
    const [one, other, gap] = all.reduce((most, each) => (each[2][what] > most[2][what] ? each : most));
    return `${one.name} got no ${what} of ${other.name} for ${gap[what]} ms`;
  };
  return `${longest('picture')}, ${longest('sound')}`;
}

async function nothingBroke(people) {
  for (const person of people) {
    assert.deepEqual(await person.asks(() => window.person.iceChanges()), [], `${person.name}'s browser noticed nothing`);
    assert.equal(await person.asks((it) => it.self.id), person.id);
    assert.deepEqual(await person.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
  }
}

describe('a meeting over two servers', { skip: !postgres() && 'Postgres is not installed' }, () => {
  before(async () => {
    database = await Postgres.open();
    stage = await Stage.open(import.meta.url, await settled('far', database.url));
    const salon = await Salon.start('spread-near', await settled('near', database.url));
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
    await sleep(5_000);
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

  test('servers become other programs, and are killed and started again at once: that is a pause', { timeout: 200_000 }, async (context) => {
    const { meeting, ada, bob, cleo } = await gathers();
    const people = [ada, bob, cleo];
    const watch = stage.watches(meeting, { isOneOfMany: true });
    for (const [what, salon] of [['with the media', near.salon], ['with the meeting', stage.salon]]) {
      const gaps = await gapsWhile(people, () => salon.upgrade(), () => sleep(2_500));
      context.diagnostic(`the server ${what} became another program: ${gaps}`);
      await nothingBroke(people);
      await allSeeAndHear(...people);
    }
    for (const [what, salon] of [['with the media', near.salon], ['with the meeting', stage.salon]]) {
      const killed = async () => {
        await salon.kill();
        await salon.startAgain();
      };
      const back = async () => {
        await sleep(2_500);
        await watch.eventuallyCounts(3, { within: 40_000 });
        for (const person of people) await person.eventuallyIs('joined', { within: 30_000 });
        await sleep(3_500);
      };
      const gaps = await gapsWhile(people, killed, back);
      context.diagnostic(`the server ${what} was killed and started again: ${gaps}`);
      await nothingBroke(people);
      await allSeeAndHear(...people);
    }
    await watch.stop();
  });

  test('the server with the meeting is killed for good: the others go on', { timeout: 100_000 }, async (context) => {
    const { meeting, ada, bob, cleo } = await gathers();
    await cleo.leaves();
    const people = [ada, bob];
    await ada.eventuallyMeets(bob);
    let killed;
    const gaps = await gapsWhile(
      people,
      async () => {
        await stage.salon.kill();
        killed = performance.now();
        await eventually('the session is told of', async () => assert.ok(await near.api.activeSession(meeting)), { within: 10_000 });
        context.diagnostic(`the session is told of ${Math.round(performance.now() - killed)} ms after the kill`);
      },
      async () => {
        await eventually(
          'both are counted',
          async () => assert.equal((await near.api.activeSession(meeting)).live_participants, 2),
          { within: 20_000 },
        );
        context.diagnostic(`both are counted ${Math.round(performance.now() - killed)} ms after the kill`);
        for (const person of people) await person.eventuallyIs('joined', { within: 30_000 });
        await sleep(3_500);
      },
    );
    context.diagnostic(`meanwhile ${gaps}`);
    await nothingBroke(people);
    await allSeeAndHear(...people);
  });
});
