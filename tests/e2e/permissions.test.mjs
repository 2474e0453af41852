// What people may do, changed by a host while they do it: their clients know at once, the server holds to it, and pages
// opened later know too.

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

const LIMIT = { timeout: 90_000 };

/** The values of `canProduce` as the SDK takes them. */
const ALLOWED = 1;
const NOT_ALLOWED = 2;

const permits = (host, other, patch) =>
  host.does(({ participants }, [id, changes]) => participants.updatePermissions([id], changes), [other.id, patch]);

/** What this client believes it may do. */
const mayDo = (person) =>
  person.asks(({ self: { permissions: may } }) => ({
    audio: may.canProduceAudio,
    video: may.canProduceVideo,
    screen: may.canProduceScreenshare,
    write: may.chatPublic.canSend,
    polls: { ...may.polls },
    kick: may.kickParticipant,
  }));

const knows = (person, part) =>
  eventuallyEqual(`what ${person.name}'s client believes it may do`, async () => {
    const may = await mayDo(person);
    return Object.fromEntries(Object.keys(part).map((key) => [key, may[key]]));
  }, part);

test('a host takes microphone and camera away and gives them back', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  const media = (canProduce) => ({ media: { audio: { canProduce }, video: { canProduce } } });
  await permits(ada, bob, media(NOT_ALLOWED));
  await knows(bob, { audio: 'NOT_ALLOWED', video: 'NOT_ALLOWED', screen: 'ALLOWED' });
  await bob.eventuallyNotes('microphone', false);
  await bob.eventuallyNotes('camera', false);
  await ada.eventuallyShows(bob, { microphone: false, camera: false });
  await bob.does(({ self }) => self.enableAudio());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallyHearsNothingOf(bob);

  await permits(ada, bob, media(ALLOWED));
  await knows(bob, { audio: 'ALLOWED', video: 'ALLOWED' });
  await bob.does(({ self }) => self.enableAudio());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySeesAndHears(bob);
});

test('a host takes a screen down, which can be shared again when that is allowed', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  await bob.does(() => window.person.fakeScreen({ colour: 'magenta', tone: 1_500 }));
  await bob.does(({ self }) => self.enableScreenShare());
  await ada.eventuallySees(bob, { source: 'screen', colour: 'magenta' });
  await permits(ada, bob, { media: { screenshare: { canProduce: NOT_ALLOWED } } });
  await knows(bob, { screen: 'NOT_ALLOWED' });
  // The SDK stops the screen by itself, one producer after the other, and refuses to share anything until it is done.
  await bob.eventuallyNotes('screen', false);
  await ada.eventuallyShows(bob, { screen: false, camera: true });
  await bob.does(({ self }) => self.enableScreenShare());
  await ada.eventuallySeesNoPictureOf(bob, 'screen');
  assert.equal(await bob.asks(({ self }) => self.screenShareEnabled), false);

  await permits(ada, bob, { media: { screenshare: { canProduce: ALLOWED } } });
  await knows(bob, { screen: 'ALLOWED' });
  await bob.does(() => window.person.fakeScreen({ colour: 'magenta', tone: 1_500 }));
  await bob.does(({ self }) => self.enableScreenShare());
  await ada.eventuallySees(bob, { source: 'screen', colour: 'magenta' });
  await ada.eventuallySeesAndHears(bob);
});

test('chat, polls and moderation are given and taken, and read by others', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  await ada.does(({ polls }) => polls.create('Tea?', ['yes', 'no']));
  const asked = () => bob.asks(({ polls }) => polls.items.map(({ question }) => question));
  await eventuallyEqual("Bob's polls", asked, ['Tea?']);

  await permits(ada, bob, { chat: { public: { canSend: false } }, polls: { canCreate: false }, kickParticipant: true });
  await knows(bob, { write: false, kick: true, polls: { canCreate: false, canVote: true, canView: true } });
  assert.deepEqual(await asked(), ['Tea?'], 'he still sees polls');
  await assert.rejects(bob.does(({ chat }) => chat.sendTextMessage('hello')));
  await bob.does(({ polls }) => polls.vote(polls.items[0].id, 0));
  await eventuallyEqual('the votes', () => ada.asks(({ polls }) => polls.items[0].options[0].count), 1);
  const read = await ada.asks(({ participants }, id) => participants.joined.get(id).getPermissions(), bob.id);
  assert.deepEqual(read.polls, { canCreate: false, canVote: true, canView: true });
  assert.equal(read.chat.public.canSend, false);

  // What comes after sees everything as it was left, and a page opened anew knows what was changed.
  const again = await stage.opensAgain(bob);
  await knows(again, { write: false, kick: true, polls: { canCreate: false, canVote: true, canView: true } });
  await again.joins();
  await permits(ada, again, { chat: { public: { canSend: true } }, kickParticipant: false });
  for (const tab of [bob, again]) await knows(tab, { write: true, kick: false });
  await again.does(({ chat }) => chat.sendTextMessage('hello'));
  await eventuallyEqual("Ada's chat", () => ada.asks(({ chat }) => chat.messages.map(({ message }) => message)), ['hello']);
});

test('what was changed while somebody was cut off reaches them when they are back', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  assert.equal(await bob.asks(() => window.person.losesSocket()), 1);
  await bob.eventuallyIs('disconnected');
  await permits(ada, bob, { media: { video: { canProduce: NOT_ALLOWED } } });
  await ada.eventuallyShows(bob, { camera: false });
  await bob.eventuallyIs('joined', { within: 15_000 });
  await knows(bob, { video: 'NOT_ALLOWED', audio: 'ALLOWED' });
  await ada.eventuallyHears(bob);
  await ada.eventuallyShows(bob, { camera: false, microphone: true });
});

test('what was changed survives the server being killed', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  await permits(ada, bob, { chat: { public: { canSend: false } }, media: { video: { canProduce: NOT_ALLOWED } } });
  await knows(bob, { write: false, video: 'NOT_ALLOWED' });
  await stage.salon.kill();
  await stage.salon.startAgain();
  const live = async () => (await stage.api.activeSession(meeting)).live_participants;
  await eventuallyEqual('both are back', live, 2, { within: 20_000 });
  for (const person of [ada, bob]) await person.eventuallyIs('joined', { within: 20_000 });
  await ada.eventuallyHears(bob, { within: 30_000 });
  await ada.eventuallyShows(bob, { camera: false, microphone: true });
  const read = await ada.asks(({ participants }, id) => participants.joined.get(id).getPermissions(), bob.id);
  assert.equal(read.chat.public.canSend, false);
  await knows(await stage.opensAgain(bob), { write: false, video: 'NOT_ALLOWED' });
});

test('a member changes nobody, whatever its client lets it try', LIMIT, async () => {
  const { ada, bob } = await stage.hostAndMember();
  // The SDK does not wait for the answer, so a refusal goes where promises go that nobody waits for.
  const refused = await bob.asks(async ({ participants }, id) => {
    const heard = new Promise((resolve) => {
      addEventListener('unhandledrejection', ({ reason }) => resolve(String(reason?.message ?? reason)), { once: true });
    });
    await participants.updatePermissions([id], { kickParticipant: false });
    return heard;
  }, ada.id);
  assert.match(refused, /the preset does not allow this/);
  await knows(ada, { kick: true });
});

test('a host switches everybody else off at once, and they may switch themselves on again', LIMIT, async () => {
  const { meeting, ada, bob } = await stage.hostAndMember();
  const cleo = await stage.invites('Cleo', meeting, { preset: 'group_call_participant' });
  await cleo.joins();
  await ada.eventuallySeesAndHears(cleo);
  await ada.does(({ participants }) => participants.disableAllAudio(true));
  for (const member of [bob, cleo]) {
    await member.eventuallyNotes('microphone', false);
    await ada.eventuallyShows(member, { microphone: false, camera: true });
    await ada.eventuallyHearsNothingOf(member);
  }
  assert.equal(await ada.asks(({ self }) => self.audioEnabled), true, 'the host goes on');
  await ada.does(({ participants }) => participants.disableAllVideo());
  for (const member of [bob, cleo]) {
    await member.eventuallyNotes('camera', false);
    await ada.eventuallyShows(member, { microphone: false, camera: false });
  }
  await bob.eventuallySeesAndHears(ada);

  await bob.does(({ self }) => self.enableAudio());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySeesAndHears(bob);
  await assert.rejects(bob.does(({ participants }) => participants.disableAllAudio(true)), /permission/);
});
