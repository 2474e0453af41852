// Chromium and Firefox in one call.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { firefox } from './support/browsers.mjs';
import { Stage } from './support/stage.mjs';

const missing = firefox() ? false : 'Firefox is not installed (SALON_TEST_REQUIRE_FIREFOX=1 makes this a failure)';
const skip = process.env.SALON_TEST_REQUIRE_FIREFOX === '1' ? false : missing;

let stage;
before(async () => {
  if (!skip) stage = await Stage.open(import.meta.url);
});
afterEach(() => stage?.clear());
after(() => stage?.close());

test('somebody with Chromium and somebody with Firefox see and hear each other', { skip, timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invitesWithFirefox('Bob', meeting);
  await bob.joins();
  await watch.eventuallyCounts(2, { within: 1_000 });
  await Promise.all([ada.eventuallyMeets(bob), bob.eventuallyMeets(ada)]);
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySees(ada), bob.eventuallyHearsSomethingOf(ada)]);

  for (const [one, other] of [[ada, bob], [bob, ada]]) {
    await one.does(({ self }) => self.disableVideo());
    await other.eventuallySeesNoPictureOf(one);
    await one.does(({ self }) => self.enableVideo());
    await other.eventuallySees(one);
  }

  await bob.leaves();
  await watch.eventuallyCounts(1, { within: 1_000 });
  await ada.eventuallyMeets();
  await watch.stop();
});

test('kill -9 of the server is survived by Firefox as well', { skip, timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invitesWithFirefox('Bob', meeting);
  await bob.joins();
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySees(ada)]);
  const { id } = await watch.now();
  await stage.salon.kill();
  await stage.salon.startAgain();
  const session = await watch.eventuallyCounts(2, { within: 30_000 });
  assert.equal(session.id, id);
  await Promise.all([ada, bob].map((person) => person.eventuallyIs('joined')));
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySees(ada), bob.eventuallyHearsSomethingOf(ada)]);
  await watch.stop();
});
