// Connections that break: clients come back by themselves as the same peer, and the counts say so at every step.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Line } from './support/line.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, { 'session.grace_secs': 8 });
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** The SDK waits 3 s before it tries again, and up to a second more. */
const COMES_BACK = { within: 12_000 };

test('a socket that breaks comes back as the same peer, and nobody is seen to leave', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
  const { id } = await watch.now();

  for (let round = 0; round < 2; round++) {
    assert.equal(await bob.asks(() => window.person.losesSocket()), 1);
    await watch.eventuallyCounts(1, { within: 2_000 });
    const session = await watch.eventuallyCounts(2, COMES_BACK);
    assert.equal(session.id, id);
    assert.equal(session.max_concurrent_participants, 2);
    await ada.eventuallyMeets(bob);
    await bob.eventuallyMeets(ada);
    await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
  }
  assert.equal(await bob.asks((meeting) => meeting.self.id), bob.id);
  const notes = (await ada.events()).map(([, ...note]) => note.join(' '));
  assert.ok(!notes.includes('sees go Bob'), notes.join('\n'));

  // What both publish from now on still reaches the other.
  await bob.does(({ self }) => self.disableVideo());
  await ada.eventuallyShows(bob, { camera: false, microphone: true });
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySees(bob);

  await watch.growsFor(2);
  await watch.stop();
  assert.deepEqual(watch.counts().slice(-5), [2, 1, 2, 1, 2]);
});

test('a network that is cut for a while, as a changed Wi-Fi, brings the person back', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const line = await Line.open(stage.salon.port);
  try {
    const [ada] = await stage.gathers(meeting, 'Ada');
    const bob = await stage.invites('Bob', meeting, { through: line.origin });
    await bob.joins();
    await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
    line.cut();
    await watch.eventuallyCounts(1, { within: 2_000 });
    await watch.eventuallyCounts(2, COMES_BACK);
    assert.equal(await bob.asks((meeting) => meeting.self.id), bob.id);
    await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
    await watch.stop();
  } finally {
    line.close();
  }
});

test('somebody who does not come back is given up after the grace time, with the minutes they were seen', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const line = await Line.open(stage.salon.port);
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting, { through: line.origin });
  await bob.joins();
  await ada.eventuallyMeets(bob);
  line.close();
  await watch.eventuallyCounts(1, { within: 2_000 });
  await watch.growsFor(1);
  await ada.eventuallyMeets();
  await watch.growsFor(1, { seconds: 1 });
  await watch.stop();
  assert.deepEqual(watch.counts(), [null, 1, 2, 1]);
});
