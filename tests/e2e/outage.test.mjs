// Networks that let nothing through for a while: media alone, the socket alone, or both. With the network's return people
// see and hear each other again within seconds, whoever noticed what.
// `SALON_TEST_LONG=1` runs every length, half an hour; else two of them.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as passes } from 'node:timers/promises';

import { Air } from './support/air.mjs';
import { Line } from './support/line.mjs';
import { Stage } from './support/stage.mjs';

const LONG = process.env.SALON_TEST_LONG === '1';
const CASES = ['media', 'socket', 'both'].flatMap((what) => [5, 20, 75, 300].map((seconds) => ({ what, seconds })));
const SHORT = [{ what: 'media', seconds: 75 }, { what: 'both', seconds: 20 }];

/** A client whose socket is gone tries again up to 10 s after an attempt that may take 5 s. */
const SECONDS = { within: 25_000 };

let air;
let stage;
after(async () => {
  await stage?.close();
  air?.close();
});

/** Ada and Bob, who reach the server through `line`. */
async function call(line) {
  const meeting = await stage.api.createMeeting();
  const people = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, { through: line.origin })));
  for (const person of people) await person.joins();
  const [ada, bob] = people;
  await eventuallyAgain(ada, bob);
  return people;
}

const eventuallyAgain = (ada, bob) =>
  Promise.all([[ada, bob], [bob, ada]].flatMap(([one, other]) => [one.eventuallySees(other, SECONDS), one.eventuallyHears(other, SECONDS)]));

describe('nothing passes', () => {
  before(async () => {
    air = await Air.open();
    // What is cut is one way; media over TCP would be another.
    stage = await Stage.open(import.meta.url, { ...air.settings, 'media.tcp': false });
  });
  afterEach(() => stage.clear());
  after(async () => {
    await stage.close();
    air.close();
  });

  for (const { what, seconds } of LONG ? CASES : SHORT) {
    test(`${what} for ${seconds} s`, { timeout: 120_000 + seconds * 1_000 }, async (t) => {
      const line = await Line.open(stage.salon.port);
      try {
        const [ada, bob] = await call(line);
        if (what !== 'socket') air.cut = true;
        // A network that loses media takes no new connections either; those that are open may live.
        if (what === 'media') line.holdsNew();
        else line.blocks();
        await passes(seconds * 1_000);
        air.cut = false;
        line.clears();
        const back = performance.now();
        await eventuallyAgain(ada, bob);
        t.diagnostic(`all see and hear each other ${((performance.now() - back) / 1_000).toFixed(1)} s after the return`);
        for (const person of [ada, bob]) {
          await person.eventuallyIs('joined');
          assert.deepEqual(await person.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
        }
      } finally {
        air.cut = false;
        line.close();
      }
    });
  }
});

describe('datagrams do not pass any more', () => {
  before(async () => {
    air = await Air.open();
    stage = await Stage.open(import.meta.url, air.settings);
  });

  test('media goes on over TCP', { timeout: 90_000 }, async () => {
    const line = await Line.open(stage.salon.port);
    try {
      const [ada, bob] = await call(line);
      air.cut = true;
      // Clients notice after 5 s, and the server after up to 30; until then everything looks as before.
      await passes(20_000);
      await eventuallyAgain(ada, bob);
    } finally {
      line.close();
    }
  });
});
