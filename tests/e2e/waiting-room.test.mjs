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
