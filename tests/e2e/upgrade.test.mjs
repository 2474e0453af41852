// The program of a server is replaced in the middle of a call, by SIGUSR2: no socket closes, no media connection changes, nobody
// comes anew, and whoever asks hears nothing wrong.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Stage } from './support/stage.mjs';

/** More to measure with: `SALON_TEST_ROUNDS=20`. */
const ROUNDS = Number(process.env.SALON_TEST_ROUNDS ?? 4);

const ASK_EVERY_MS = 50;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const half = (all) => all.toSorted((one, other) => one - other)[all.length >> 1];

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, { 'media.threads': 2, 'media.room_per_thread': 2 });
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Asks twenty times a second until told to stop: always three people in that session. */
async function asks(meeting, session, stop) {
  let minutes = 0;
  let asked = 0;
  while (!stop.now) {
    const now = await stage.api.activeSession(meeting);
    assert.deepEqual([now?.id, now?.live_participants], [session, 3]);
    assert.ok(now.minutes_consumed >= minutes, `${now.minutes_consumed} minutes after ${minutes}`);
    minutes = now.minutes_consumed;
    asked += 1;
    await sleep(ASK_EVERY_MS);
  }
  return asked;
}

async function upgrades(context, people, meeting, what) {
  const pairs = people.flatMap((one) => people.filter((other) => other !== one).map((other) => [one, other]));
  await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
  const session = (await stage.api.activeSession(meeting)).id;
  for (const person of people) await person.asks(() => window.person.iceChanges());
  const sockets = () => Promise.all(people.map((person) => person.asks(() => window.person.socketsOpen())));
  const open = await sockets();
  const stop = { now: false };
  const asking = asks(meeting, session, stop);
  const gaps = { picture: [], sound: [] };
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(1_000 + Math.random() * 500);
    for (const [one, other] of pairs) await one.times(other);
    await sleep(300);
    const took = await stage.salon.upgrade();
    await sleep(1_500);
    const all = await Promise.all(pairs.map(([one, other]) => one.longestGaps(other)));
    gaps.picture.push(...all.map(({ picture }) => picture));
    gaps.sound.push(...all.map(({ sound }) => sound));
    context.diagnostic(
      `${what}, round ${round}: ready after ${took} ms; pictures stood still for ${all.map(({ picture }) => picture).join(', ')} ms, sound for ${all.map(({ sound }) => sound).join(', ')}`,
    );
    for (const person of people) {
      assert.deepEqual(await person.asks(() => window.person.iceChanges()), [], `${person.name}'s browser noticed nothing`);
      assert.equal(await person.asks((it) => it.self.id), person.id);
      assert.equal(await person.roomState(), 'joined');
      assert.deepEqual(await person.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
    }
    assert.deepEqual(await sockets(), open, 'no socket was closed or opened');
    await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
  }
  stop.now = true;
  assert.ok((await asking) > ROUNDS);
  const now = await stage.api.activeSession(meeting);
  assert.equal(now.id, session);
  // Told, not judged: browsers that share a machine stand still by themselves now and then.
  for (const [what, all] of Object.entries(gaps)) {
    context.diagnostic(`${what}: ${half(all)} ms in the middle, ${Math.max(...all)} ms at most, of ${all.length}`);
  }
}

test('an upgrade in the middle of a call is a pause that browsers do not notice', { timeout: 120_000 + ROUNDS * 30_000 }, async (context) => {
  const meeting = await stage.api.createMeeting();
  const people = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await upgrades(context, people, meeting, 'UDP');

  // What was there goes on working: somebody switches off and on, leaves, and comes again.
  const [ada, bob, cleo] = people;
  await bob.does((it) => it.self.disableVideo());
  await bob.does((it) => it.self.enableVideo());
  await ada.eventuallySeesAndHears(bob);
  await cleo.leaves();
  await stage.watches(meeting).eventuallyCounts(2);
  const again = await stage.opensAgain(cleo);
  await again.joins();
  await again.eventuallySeesAndHears(ada);
  await bob.eventuallySeesAndHears(again);
});

test('nor do those whose network lets no UDP out', { timeout: 120_000 + ROUNDS * 30_000 }, async (context) => {
  const meeting = await stage.api.createMeeting();
  const withoutUdp = { withoutUdp: true };
  const ada = await stage.invites('Ada', meeting, withoutUdp);
  const bob = await stage.invites('Bob', meeting);
  const cleo = await stage.invites('Cleo', meeting, withoutUdp);
  for (const person of [ada, bob, cleo]) await person.joins();
  await upgrades(context, [ada, bob, cleo], meeting, 'TCP');
});
