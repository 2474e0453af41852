// What hosts and the API do to others: remove, end, mute, delete. Clients say so, and the counts agree.

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

async function liveIn(meeting) {
  return (await stage.api.activeSession(meeting))?.live_participants ?? null;
}

function hostDoes(host, other, act) {
  return host.does((meeting, [id, method]) => meeting.participants.joined.get(id)[method](), [other.id, act]);
}

test('a host removes somebody, who may come again', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  await hostDoes(ada, bob, 'kick');
  await bob.eventuallyIs('kicked');
  assert.equal(await liveIn(meeting), 1);
  await ada.eventuallyMeets();
  const again = await stage.opensAgain(bob);
  await again.joins();
  assert.equal(await liveIn(meeting), 2);
});

test('a member may remove nobody', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  await assert.rejects(hostDoes(bob, ada, 'kick'));
  assert.equal(await liveIn(meeting), 2);
  await ada.eventuallyIs('joined');
});

test('the API removes people by either of their ids', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const kicked = await stage.api.kick(meeting, { custom_participant_ids: ['custom-bob'] });
  assert.deepEqual(kicked.participants.map(({ id }) => id), [bob.participant.id]);
  assert.equal(await liveIn(meeting), 1);
  await bob.eventuallyIs('kicked');
  await ada.eventuallyMeets();

  await stage.api.kick(meeting, { participant_ids: [ada.participant.id] });
  assert.equal(await liveIn(meeting), 0, 'the session waits for its keep-alive time');
  await ada.eventuallyIs('kicked');
});

test('a host ends the meeting for everybody', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const { id } = await stage.api.activeSession(meeting);
  await ada.does(({ participants }) => participants.kickAll());
  await Promise.all([ada.eventuallyIs('ended'), bob.eventuallyIs('ended')]);
  assert.equal(await liveIn(meeting), null, 'there is no keep-alive after that');
  assert.equal((await stage.api.session(id)).status, 'ENDED');
});

test('the API ends the meeting for everybody', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const { id } = await stage.api.activeSession(meeting);
  const { kicked_participants_count: count } = await stage.api.kickAll(meeting);
  assert.equal(count, 2);
  assert.equal(await liveIn(meeting), null);
  await Promise.all([ada.eventuallyIs('ended'), bob.eventuallyIs('ended')]);
  const session = await stage.api.session(id);
  assert.equal(session.status, 'ENDED');
  assert.equal(session.max_concurrent_participants, 2);
});

test('a host switches off microphone and camera of another, who may switch them on again', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  await hostDoes(ada, bob, 'disableAudio');
  await bob.eventuallyNotes('microphone', false);
  await ada.eventuallyShows(bob, { microphone: false });
  await ada.eventuallyHearsNothingOf(bob);
  await bob.does(({ self }) => self.enableAudio());
  await ada.eventuallyShows(bob, { microphone: true });
  await ada.eventuallyHears(bob);

  await hostDoes(ada, bob, 'disableVideo');
  await bob.eventuallyNotes('camera', false);
  await ada.eventuallyShows(bob, { camera: false });
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySees(bob);
});

test('the API mutes somebody', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const muted = await stage.api.mute(meeting, { participant_ids: [bob.participant.id] });
  assert.deepEqual(muted.participants.map(({ id }) => id), [bob.participant.id]);
  await bob.eventuallyNotes('microphone', false);
  await ada.eventuallyShows(bob, { microphone: false });
  await ada.eventuallyHearsNothingOf(bob);
  await bob.does(({ self }) => self.enableAudio());
  await ada.eventuallyHears(bob);
});

test('the API mutes everybody, and members stay muted when they may not unmute', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const { muted_participants_count: count } = await stage.api.muteAll(meeting, { allowUnmute: false });
  assert.equal(count, 2);
  await bob.eventuallyNotes('microphone', false);
  await ada.eventuallyNotes('microphone', false);
  await bob.does(({ self }) => self.enableAudio()).catch(() => {});
  await eventually("Bob's client knows that he is muted", async () => {
    assert.equal(await bob.asks(({ self }) => self.audioEnabled), false);
  });
  await ada.eventuallyHearsNothingOf(bob);
});

test('a deleted participant is out, and their token opens nothing', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  await stage.api.deleteParticipant(meeting, bob.participant.id);
  assert.equal(await liveIn(meeting), 1);
  await bob.eventuallyIs('kicked');
  await ada.eventuallyMeets();
  await assert.rejects(stage.opensAgain(bob), /0004/);
});
