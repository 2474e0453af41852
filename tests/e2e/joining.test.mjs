// Coming in: people see and hear each other, and the REST answer says who is there.

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

test('two people see and hear each other, a third who comes late sees and hears both', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting({ title: 'Planning call' });
  const watch = stage.watches(meeting);
  assert.equal(await watch.now(), null, 'a meeting in which nobody is has no session');

  const [ada, bob] = await Promise.all([stage.invites('Ada', meeting), stage.invites('Bob', meeting)]);
  assert.equal(await watch.now(), null, 'somebody in front of the setup screen is not in the meeting');

  await watch.eventuallyHas(null);
  await ada.joins();
  const alone = await watch.now();
  assert.equal(alone.live_participants, 1);
  assert.equal(alone.max_concurrent_participants, 1);
  assert.equal(alone.status, 'LIVE');
  assert.equal(alone.meeting_display_name, 'Planning call');
  assert.equal(alone.associated_id, meeting);

  await watch.eventuallyHas(1);
  await bob.joins();
  const both = await watch.now();
  assert.equal(both.id, alone.id);
  assert.equal(both.live_participants, 2);
  assert.equal(both.max_concurrent_participants, 2);

  await ada.eventuallyMeets(bob);
  await bob.eventuallyMeets(ada);
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
  await watch.growsFor(2);

  const cleo = await stage.invites('Cleo', meeting);
  assert.equal((await watch.now()).live_participants, 2);
  await cleo.joins();
  assert.equal((await watch.now()).live_participants, 3);
  await cleo.eventuallyMeets(ada, bob);
  await Promise.all([
    cleo.eventuallySeesAndHears(ada, bob),
    ada.eventuallySeesAndHears(bob, cleo),
    bob.eventuallySeesAndHears(ada, cleo),
  ]);
  await watch.growsFor(3);

  for (const [one, other] of [[ada, bob], [bob, cleo], [cleo, ada]]) {
    assert.deepEqual((await one.looksAt(other)).garbage, [], `${one.name} saw what ${other.name} never showed`);
    const first = await one.receivesFrom(other);
    await eventually(`${one.name}'s browser decodes what ${other.name} sends`, async () => {
      const later = await one.receivesFrom(other);
      assert.ok(later.framesDecoded > first.framesDecoded, 'no frames were decoded');
      assert.ok(later.soundPackets > first.soundPackets, 'no sound came');
    });
  }

  await watch.stop();
  assert.deepEqual(watch.counts(), [null, 1, 2, 3]);
});

test('a second tab of the same participant counts, and is its own peer', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const tab = await stage.opensAgain(ada);
  await tab.joins();
  const session = await stage.api.activeSession(meeting);
  assert.equal(session.live_participants, 2);
  assert.notEqual(tab.id, ada.id);
  await ada.eventuallyMeets(tab);
  await ada.eventuallySeesAndHears(tab);
});
