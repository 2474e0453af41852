// The stage of webinars and livestreams: who asks, who decides, who is seen, who only watches.

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

const LIMIT = { timeout: 120_000 };

async function hostAndViewer(host, viewer) {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset: host });
  const bob = await stage.invites('Bob', meeting, { preset: viewer });
  await ada.joins();
  await bob.joins();
  return { meeting, ada, bob };
}

const eventuallyStands = (person, status) =>
  eventuallyEqual(`where ${person.name} stands`, () => person.asks((it) => it.stage.status), status);

async function eventuallyAsk(host, ...names) {
  await eventually(`${host.name} reads who asks for the stage`, async () => {
    const asked = await host.asks(async (it) => (await it.stage.getAccessRequests()).stageRequests?.map(({ displayName }) => displayName) ?? []);
    assert.deepEqual(asked, names);
  });
}

const grants = (host, viewer) => host.does((it, id) => it.stage.grantAccess([id]), viewer.participant.id);

test('in a livestream the audience watches without media, comes on stage, and goes again', LIMIT, async () => {
  const { meeting, ada, bob } = await hostAndViewer('livestream_host', 'livestream_viewer');
  await eventuallyStands(ada, 'ON_STAGE');
  await eventuallyStands(bob, 'OFF_STAGE');
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 2, 'who watches is in the meeting');
  await bob.does((it) => it.chat.sendTextMessage('hello from the audience'));
  await eventuallyEqual('the chat of Ada', () => ada.asks((it) => it.chat.messages.map(({ message }) => message)), ['hello from the audience']);

  await bob.does((it) => it.stage.requestAccess());
  await eventuallyStands(bob, 'REQUESTED_TO_JOIN_STAGE');
  await eventuallyAsk(ada, 'Bob');
  await grants(ada, bob);
  await eventuallyStands(bob, 'ACCEPTED_TO_JOIN_STAGE');
  await bob.does((it) => it.stage.join());
  await eventuallyStands(bob, 'ON_STAGE');
  await bob.does(async ({ self }) => {
    await self.enableVideo();
    await self.enableAudio();
  });
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);

  await bob.does((it) => it.stage.leave());
  await eventuallyStands(bob, 'OFF_STAGE');
  await ada.eventuallySeesNoPictureOf(bob);
  assert.equal((await stage.api.activeSession(meeting)).live_participants, 2);
});

test('in a webinar a request is taken back, another denied, and a host removes somebody from the stage', LIMIT, async () => {
  const { ada, bob } = await hostAndViewer('webinar_presenter', 'webinar_viewer');
  await bob.does((it) => it.stage.requestAccess());
  await eventuallyAsk(ada, 'Bob');
  await bob.does((it) => it.stage.cancelRequestAccess());
  await eventuallyStands(bob, 'OFF_STAGE');
  await eventuallyAsk(ada);

  await bob.does((it) => it.stage.requestAccess());
  await eventuallyAsk(ada, 'Bob');
  await ada.does((it, id) => it.stage.denyAccess([id]), bob.participant.id);
  await eventuallyStands(bob, 'OFF_STAGE');
  await assert.rejects(bob.does((it) => it.stage.join()), 'who was turned away cannot step on');

  await grants(ada, bob);
  await eventuallyStands(bob, 'ACCEPTED_TO_JOIN_STAGE');
  await bob.does((it) => it.stage.join());
  await eventuallyStands(bob, 'ON_STAGE');
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySees(bob);
  await ada.does((it, id) => it.stage.kick([id]), bob.participant.id);
  await eventuallyStands(bob, 'OFF_STAGE');
  await ada.eventuallySeesNoPictureOf(bob);
  await bob.eventuallySees(ada);
});
