// Guests wait until a host lets them in; while they wait they are not in the meeting.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

const LIMIT = { timeout: 60_000 };

async function hostAndGuest() {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting, { preset: 'group_call_guest' });
  await bob.does((meeting) => {
    // The SDK's promise waits as long as the guest does.
    void meeting.join().catch(() => {});
  });
  await bob.eventuallyIs('waitlisted');
  return { meeting, ada, bob };
}

function waiting(host) {
  return host.asks(({ participants }) => participants.waitlisted.toArray().map(({ id, name }) => ({ id, name })));
}

async function eventuallyWaits(host, ...names) {
  return eventually(`${names.join(' and ') || 'nobody'} waits`, async () => {
    const people = await waiting(host);
    assert.deepEqual(people.map(({ name }) => name), names);
    return people;
  });
}

test('a guest waits, is not counted, and is let in', LIMIT, async () => {
  const { meeting, ada, bob } = await hostAndGuest();
  const [guest] = await eventuallyWaits(ada, 'Bob');
  const session = await stage.api.activeSession(meeting);
  assert.equal(session.live_participants, 1);
  assert.equal(session.max_concurrent_participants, 1);
  await ada.eventuallyMeets();

  await ada.does(({ participants }, id) => participants.acceptWaitingRoomRequest(id), guest.id);
  await bob.eventuallyIs('joined');
  await eventuallyWaits(ada);
  const both = await stage.api.activeSession(meeting);
  assert.equal(both.live_participants, 2);
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
});

test('a guest is turned away', LIMIT, async () => {
  const { meeting, ada, bob } = await hostAndGuest();
  const [guest] = await eventuallyWaits(ada, 'Bob');
  await ada.does(({ participants }, id) => participants.rejectWaitingRoomRequest(id), guest.id);
  await bob.eventuallyIs('rejected');
  await eventuallyWaits(ada);
  const session = await stage.api.activeSession(meeting);
  assert.equal(session.live_participants, 1);
  assert.equal(session.max_concurrent_participants, 1);
});

test('a host who comes later sees who waits; a guest who gives up is gone from the list', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const bob = await stage.invites('Bob', meeting, { preset: 'group_call_guest' });
  await bob.does((meeting) => {
    void meeting.join().catch(() => {});
  });
  await bob.eventuallyIs('waitlisted');
  assert.equal(await stage.api.activeSession(meeting), null, 'waiting starts no session');
  const [ada] = await stage.gathers(meeting, 'Ada');
  await eventuallyWaits(ada, 'Bob');
  await bob.goesAway();
  await eventuallyWaits(ada);
});

/** Somebody whose `join` waits as long as they do. */
async function arrives(name, meeting, preset) {
  const person = await stage.invites(name, meeting, { preset });
  await person.does((it) => {
    void it.join().catch(() => {});
  });
  return person;
}

test('a host lets all in at once; only those who may decide see who waits; the admitted come back unasked', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting);
  await ada.joins();
  const bob = await arrives('Bob', meeting, 'group_call_guest');
  const cleo = await arrives('Cleo', meeting, 'group_call_guest');
  const [first, second] = await eventuallyWaits(ada, 'Bob', 'Cleo');
  await ada.does(({ participants }, ids) => participants.acceptAllWaitingRoomRequest(ids), [first.id, second.id]);
  for (const person of [bob, cleo]) await person.eventuallyIs('joined');
  await eventuallyWaits(ada);

  await cleo.leaves();
  await cleo.goesAway();
  const again = await stage.opensAgain(cleo);
  await again.joins();
  await again.eventuallyIs('joined');
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 3, 'once admitted, always');

  await bob.asks(() => window.person.losesSocket());
  await bob.eventuallyIs('disconnected');
  await bob.eventuallyIs('joined');
  await ada.eventuallySeesAndHears(bob);

  await again.leaves();
  await again.goesAway();
  const other = await arrives('Cleo', meeting, 'group_call_guest');
  await other.eventuallyIs('waitlisted');
  await eventuallyWaits(ada, 'Cleo');
  assert.deepEqual(await waiting(bob), [], 'a guest is not told who waits');
});

test('some wait only until somebody who may let people in is there', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const preset = await stage.api.presetLike('group_call_participant', 'early_bird', ({ permissions }) => {
    permissions.waiting_room_type = 'ON_PRIVILEGED_USER_ENTRY';
  });
  const bob = await arrives('Bob', meeting, preset);
  await bob.eventuallyIs('waitlisted');
  assert.equal(await stage.api.activeSession(meeting), null);
  const [ada] = await stage.gathers(meeting, 'Ada');
  await bob.eventuallyIs('joined');
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
});
