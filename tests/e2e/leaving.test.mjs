// Going: the count falls at once, and the session lives on for its keep-alive time.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as passes } from 'node:timers/promises';

import { eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, { 'limits.session_keep_alive_min_secs': 1 });
});
afterEach(() => stage.clear());
after(() => stage?.close());

test('who leaves is not counted any more, and disappears for the others', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallySeesAndHears(bob);

  await bob.leaves();
  const session = await watch.eventuallyCounts(1, { within: 1_000 });
  assert.equal(session.max_concurrent_participants, 2);
  await ada.eventuallyMeets();
  await bob.eventuallyIs('left');
  await watch.growsFor(1, { seconds: 1 });

  await ada.goesAway();
  await watch.eventuallyCounts(0, { within: 2_000 });
  await watch.growsFor(0, { seconds: 1 });
  await watch.stop();
});

test('who comes back within the keep-alive time goes on with the same session', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting({ session_keep_alive_time_in_secs: 5 });
  const watch = stage.watches(meeting);
  const [ada] = await stage.gathers(meeting, 'Ada');
  const first = await watch.now();
  await ada.leaves();
  const empty = await watch.eventuallyCounts(0, { within: 2_000 });
  assert.equal(empty.status, 'LIVE');
  assert.equal(empty.id, first.id);

  const again = await stage.opensAgain(ada);
  await again.joins();
  const second = await watch.now();
  assert.equal(second.id, first.id);
  assert.equal(second.started_at, first.started_at);
  assert.equal(second.live_participants, 1);
  assert.equal(second.max_concurrent_participants, 1);
  await watch.stop();
});

test('after the keep-alive time the session has ended, with the right minutes', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting({ session_keep_alive_time_in_secs: 2 });
  const watch = stage.watches(meeting);
  const stays = {};
  const came = (person) => (stays[person.name] = performance.now());
  const went = (person) => (stays[person.name] = performance.now() - stays[person.name]);

  const [ada, bob] = await Promise.all([stage.invites('Ada', meeting), stage.invites('Bob', meeting)]);
  await ada.joins();
  came(ada);
  await bob.joins();
  came(bob);
  const { id } = await watch.now();
  await passes(2_000);
  await bob.leaves();
  went(bob);
  await passes(1_000);
  await ada.leaves();
  went(ada);
  const left = performance.now();

  await watch.eventuallyCounts(0, { within: 2_000 });
  await watch.eventuallyEnds({ within: 5_000 });
  const waited = (performance.now() - left) / 1_000;
  assert.ok(waited > 1.5, `the session ended ${waited} s after the last person left`);
  await watch.stop();

  const [session, ...others] = await eventually('the session is listed', async () => {
    const sessions = await stage.api.sessions(meeting);
    assert.equal(sessions.length, 1);
    return sessions;
  });
  assert.deepEqual(others, []);
  assert.equal(session.id, id);
  assert.equal(session.status, 'ENDED');
  assert.equal(session.live_participants, 0);
  assert.equal(session.max_concurrent_participants, 2);
  // Joining and leaving take a moment on either side of what the test measured.
  const measured = (stays.Ada + stays.Bob) / 1_000;
  const told = session.minutes_consumed * 60;
  assert.ok(Math.abs(told - measured) < 2.5, `${told} s were told, ${measured} s were measured`);

  const people = await stage.api.sessionParticipants(id);
  assert.deepEqual(people.map((person) => person.display_name).sort(), ['Ada', 'Bob']);
  const sum = people.reduce((minutes, person) => minutes + person.duration, 0);
  assert.ok(Math.abs(sum - session.minutes_consumed) < 0.001, 'the parts make the whole');

  const again = await stage.opensAgain(ada);
  await again.joins();
  const next = await stage.api.activeSession(meeting);
  assert.notEqual(next.id, id, 'who joins later starts a new session');
  assert.equal(next.max_concurrent_participants, 1);
});

test('an inactive meeting lets nobody in, and leaves those in who are', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting);
  await stage.api.updateMeeting(meeting, { status: 'INACTIVE' });
  await assert.rejects(bob.joins());
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 1);
  await ada.eventuallyMeets();
  await ada.eventuallyIs('joined');
});
