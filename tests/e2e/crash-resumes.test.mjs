// kill -9 in the middle of a call, and the server started again at once: media go on where they were. Nobody's browser notices
// more than a pause; sockets come back seconds later, meanwhile people see and hear each other.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { freePorts } from './support/ports.mjs';
import { Stage } from './support/stage.mjs';

/** More to measure with: `SALON_TEST_ROUNDS=20`. */
const ROUNDS = Number(process.env.SALON_TEST_ROUNDS ?? 4);

/** Sockets are back 3 to 5 s after they broke. */
const BACK = { within: 30_000 };

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let stage;
before(async () => {
  // A run with other ports would be another server for clients.
  stage = await Stage.open(import.meta.url, { 'media.resume': true, 'media.port': await freePorts(2), 'media.threads': 2, 'media.room_per_thread': 2 });
});
afterEach(() => stage.clear());
after(() => stage?.close());

const half = (all) => all.toSorted((one, other) => one - other)[all.length >> 1];

test('kill -9 in the middle of a call is a pause that browsers do not notice', { timeout: 120_000 + ROUNDS * 60_000 }, async (context) => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const people = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  const pairs = people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other]));
  await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
  const before = await watch.now();
  const feedback = () => Promise.all(people.map((person) => person.asks(() => window.person.feedback())));
  const gaps = { picture: [], sound: [] };

  for (let round = 0; round < ROUNDS; round++) {
    // A run that went on with connections and ended soon after is not gone on with.
    await sleep(11_000 + Math.random() * 1_000);
    for (const person of people) await person.asks(() => window.person.iceChanges());
    for (const [one, other] of pairs) await one.times(other);
    const heard = await feedback();
    const from = performance.now();
    await stage.salon.kill();
    await stage.salon.startAgain();
    const away = Math.round(performance.now() - from);
    // Before sockets are back, three seconds after the kill at the earliest: what is published anew has an estimate of its own.
    await sleep(2_500 - away);
    const early = await Promise.all(pairs.map(([one, other]) => one.longestGaps(other)));
    const told = await feedback();
    await watch.eventuallyCounts(3, BACK);
    for (const person of people) await person.eventuallyIs('joined', BACK);
    await sleep(3_500);
    for (const [n, [one, other]] of pairs.entries()) {
      const { picture, sound } = await one.longestGaps(other);
      context.diagnostic(
        `round ${round}, ${away} ms without a server: ${one.name} saw nothing new of ${other.name} for ${picture} ms (${early[n].picture} before sockets were back), heard nothing for ${sound} ms (${early[n].sound})`,
      );
      gaps.picture.push(early[n].picture - away);
      gaps.sound.push(early[n].sound - away);
    }
    for (const person of people) {
      assert.deepEqual(await person.asks(() => window.person.iceChanges()), [], `${person.name}'s browser noticed nothing`);
      assert.equal(await person.asks((it) => it.self.id), person.id);
      assert.deepEqual(await person.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
    }
    const now = await watch.now();
    assert.equal(now.id, before.id, 'the session goes on');
    assert.ok(now.minutes_consumed >= before.minutes_consumed);
    for (const [n, after] of told.entries()) {
      context.diagnostic(`round ${round}: ${people[n].name} was told ${JSON.stringify(heard[n])} before and ${JSON.stringify(after)} after`);
      assert.ok(after.keyFrames > heard[n].keyFrames, `${people[n].name}'s browser hears that key frames are wanted`);
      assert.ok(after.available > 0.5 * heard[n].available, `${people[n].name}'s browser hears what gets through`);
    }
    await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
  }
  // Told, not judged: browsers that share a machine stand still by themselves now and then.
  for (const [what, all] of Object.entries(gaps)) {
    context.diagnostic(`${what}: ${half(all)} ms more than there was no server in the middle, ${Math.max(...all)} ms at most, of ${all.length}`);
  }
});
