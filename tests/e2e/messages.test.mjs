// Messages that applications send through the meeting.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

function broadcasts(person, type, payload, target) {
  return person.does(({ participants }, given) => participants.broadcastMessage(...given), target ? [type, payload, target] : [type, payload]);
}

test('an application broadcasts to everybody, in both directions', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  await broadcasts(ada, 'wave', { hands: 2 });
  await bob.eventuallyNotes('message', 'wave', { hands: 2 });
  await broadcasts(bob, 'nod', { text: 'grüß dich' });
  await ada.eventuallyNotes('message', 'nod', { text: 'grüß dich' });
});

test('an application that broadcasts too often is told so, however many tabs its person has', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  const tab = await stage.opensAgain(ada);
  await tab.joins();
  await bob.eventuallyMeets(ada);
  // The SDK has a limit of its own for each tab, which applications may raise.
  const floods = (person) =>
    person.asks(async ({ participants }) => {
      participants.updateRateLimits(100, 1);
      const sent = await Promise.allSettled(Array.from({ length: 5 }, () => participants.broadcastMessage('wave', {})));
      return sent.filter(({ reason }) => reason).map(({ reason }) => reason.message);
    });
  const refusals = (await Promise.all([floods(ada), floods(tab)])).flat();
  assert.ok(refusals.length > 0, 'ten at once went through');
  for (const refusal of refusals) assert.match(refusal, /too many of these in a short time/);
  const noted = async () => (await bob.events()).filter(([, what, type]) => `${what} ${type}` === 'message wave').length;
  await eventuallyEqual('the waves that reached Bob', noted, 10 - refusals.length);
});

test('an application tells some people and not the others', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await ada.eventuallyMeets(bob, cleo);
  await broadcasts(ada, 'secret', { for: 'Bob' }, { participantIds: [bob.id] });
  await bob.eventuallyNotes('message', 'secret', { for: 'Bob' });
  await broadcasts(ada, 'public', {});
  await cleo.eventuallyNotes('message', 'public', {});
  const notes = (await cleo.events()).map(([, what, type]) => `${what} ${type}`);
  assert.ok(!notes.includes('message secret'));
});
