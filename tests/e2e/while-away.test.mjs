// What is done to somebody while their connection is broken holds when they are back, and their own client shows it.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Its socket breaks; the client tries again after 3 s. What `meanwhile` does, it does not hear of. */
async function cut(person, watch, meanwhile) {
  await person.does(() => window.person.losesSocket());
  await watch.eventuallyCounts(1, { within: 2_500 });
  await meanwhile();
  await watch.eventuallyCounts(2, { within: 15_000 });
  await person.eventuallyIs('joined', { within: 15_000 });
}

test('who is muted while away is not heard or seen on return, knows it, and may switch on again', { timeout: 120_000 }, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const watch = stage.watches(meeting);
  const own = () => bob.asks(({ self }) => [self.audioEnabled, self.videoEnabled]);
  await cut(bob, watch, () =>
    ada.does(async (it, id) => {
      const member = it.participants.joined.get(id);
      await member.disableAudio();
      await member.disableVideo();
    }, bob.id).then(async () => {
      await ada.eventuallyHearsNothingOf(bob);
      await ada.times(bob);
    }),
  );
  // Not for a moment, on the way back.
  const { sound, of } = await ada.longestGaps(bob);
  assert.ok(sound > of - 300, `something was heard ${of - sound} ms of ${of}`);
  await ada.eventuallyShows(bob, { microphone: false, camera: false });
  await ada.eventuallyHearsNothingOf(bob);
  await ada.eventuallySeesNoPictureOf(bob);
  await eventuallyEqual("what Bob's client shows of himself", own, [false, false]);
  await bob.does(({ self }) => self.enableAudio());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySeesAndHears(bob);

  // The same through the API.
  await cut(bob, watch, () => stage.api.muteAll(meeting, { allowUnmute: true }));
  await ada.eventuallyShows(bob, { microphone: false, camera: true });
  await eventuallyEqual("what Bob's client shows of himself", own, [false, true]);
});

// Who only watches a livestream does not join again by itself (seen in web SDK 2.0.2), so there is nothing to tell.
test('a raised hand and an invitation outlive a broken connection', { timeout: 120_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset: 'webinar_presenter' });
  const bob = await stage.invites('Bob', meeting, { preset: 'webinar_viewer' });
  await ada.joins();
  await bob.joins();
  const watch = stage.watches(meeting);
  const stands = (status) => eventuallyEqual('where Bob stands', () => bob.asks((it) => it.stage.status), status);
  const asks = (...names) =>
    eventuallyEqual('who asks for the stage', () =>
      ada.asks(async (it) => (await it.stage.getAccessRequests()).stageRequests?.map(({ displayName }) => displayName) ?? []), names);
  await bob.does((it) => it.stage.requestAccess());
  await stands('REQUESTED_TO_JOIN_STAGE');
  await cut(bob, watch, () => asks('Bob'));
  await stands('REQUESTED_TO_JOIN_STAGE');
  await asks('Bob');
  await cut(bob, watch, () => ada.does((it, id) => it.stage.grantAccess([id]), bob.participant.id));
  await stands('ACCEPTED_TO_JOIN_STAGE');
  await bob.does((it) => it.stage.join());
  await stands('ON_STAGE');
  await eventually('nobody asks any more', () => asks());
});
