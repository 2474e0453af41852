// What people do together besides seeing and hearing each other: chat, polls, shared stores, pins, the stage.

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

/** The chat as a client shows it: who said what, and how. */
const chat = (person) =>
  person.asks((meeting) =>
    meeting.chat.messages.map(({ displayName, message, isEdited, pinned }) => ({ displayName, message, isEdited, pinned })),
  );
const said = (displayName, message, { isEdited = false, pinned = false } = {}) => ({ displayName, message, isEdited, pinned });

test('what is said in the chat reaches everybody, and can be edited, pinned and deleted', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  await ada.does((it) => it.chat.sendTextMessage('hello'));
  for (const person of [ada, bob]) await eventuallyEqual('the chat', () => chat(person), [said('Ada', 'hello')]);

  await ada.does((it) => it.chat.editTextMessage(it.chat.messages[0].id, 'hello, Bob'));
  await eventuallyEqual('the chat of Bob', () => chat(bob), [said('Ada', 'hello, Bob', { isEdited: true })]);
  await ada.does((it) => it.chat.pin(it.chat.messages[0].id));
  await eventuallyEqual('the chat of Bob', () => chat(bob), [said('Ada', 'hello, Bob', { isEdited: true, pinned: true })]);

  // Somebody who comes later reads what was said.
  const cleo = await stage.invites('Cleo', meeting);
  await cleo.joins();
  await eventuallyEqual('the chat of Cleo', () => chat(cleo), [said('Ada', 'hello, Bob', { isEdited: true, pinned: true })]);

  await ada.does((it) => it.chat.deleteMessage(it.chat.messages[0].id));
  for (const person of [ada, bob, cleo]) await eventuallyEqual('the chat', () => chat(person), []);
});

test('a private message reaches one person and not the others', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await ada.eventuallyMeets(bob, cleo);
  await ada.does((it, id) => it.chat.sendTextMessage('only you', [id]), bob.id);
  await eventuallyEqual('the chat of Bob', () => chat(bob), [said('Ada', 'only you')]);
  await ada.does((it) => it.chat.sendTextMessage('everybody'));
  await eventuallyEqual('the chat of Cleo', () => chat(cleo), [said('Ada', 'everybody')]);
});

test('the chat survives the server being killed', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  await ada.does((it) => it.chat.sendTextMessage('remember this'));
  await eventuallyEqual('the chat of Ada', () => chat(ada), [said('Ada', 'remember this')]);
  await stage.salon.kill();
  await stage.salon.startAgain();
  const bob = await stage.invites('Bob', meeting);
  await bob.joins();
  await eventuallyEqual('the chat of Bob', () => chat(bob), [said('Ada', 'remember this')]);
});

test('people vote once, and see how the vote stands', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  await ada.does((it) => it.polls.create('Tea?', ['yes', 'no']));
  const polls = (person) =>
    person.asks((it) => it.polls.items.map(({ question, options }) => ({ question, votes: options.map(({ text, count }) => [text, Number(count)]) })));
  await eventuallyEqual('the polls of Bob', () => polls(bob), [{ question: 'Tea?', votes: [['yes', 0], ['no', 0]] }]);
  await bob.does((it) => it.polls.vote(it.polls.items[0].id, 1));
  for (const person of [ada, bob]) {
    await eventuallyEqual('the polls', () => polls(person), [{ question: 'Tea?', votes: [['yes', 0], ['no', 1]] }]);
  }
});

test('what one application stores, the others find, also late ones', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  const opens = (person) => person.does(async (it) => (window.store = await it.stores.create('board')));
  const reads = (person) => person.asks(() => window.store.getAll());
  await opens(ada);
  await opens(bob);
  await ada.does(() => window.store.set('colour', { name: 'green' }));
  await eventuallyEqual('the store of Bob', () => reads(bob), { colour: { name: 'green' } });
  const cleo = await stage.invites('Cleo', meeting);
  await cleo.joins();
  await opens(cleo);
  await eventuallyEqual('the store of Cleo', () => reads(cleo), { colour: { name: 'green' } });
});

test('a host pins somebody for everyone', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await cleo.eventuallyMeets(ada, bob);
  const pinned = (person) => person.asks((it) => it.participants.pinned.toArray().map(({ name }) => name));
  await ada.does((it, id) => it.participants.joined.get(id).pin(), bob.id);
  await eventuallyEqual('who is pinned for Cleo', () => pinned(cleo), ['Bob']);
  await ada.does((it, id) => it.participants.joined.get(id).unpin(), bob.id);
  await eventuallyEqual('who is pinned for Cleo', () => pinned(cleo), []);
});

test('somebody in the audience asks for the stage, is let on, and is seen', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset: 'webinar_presenter' });
  const bob = await stage.invites('Bob', meeting, { preset: 'webinar_viewer' });
  await ada.joins();
  await bob.joins();
  await bob.eventuallySees(ada);
  const status = () => bob.asks((it) => it.stage.status);
  assert.equal(await status(), 'OFF_STAGE');
  await bob.does((it) => it.stage.requestAccess());
  await eventually('Ada sees the request', async () => {
    const requests = await ada.asks(async (it) => (await it.stage.getAccessRequests()).stageRequests?.map(({ displayName }) => displayName) ?? []);
    assert.deepEqual(requests, ['Bob']);
  });
  await ada.does((it, id) => it.stage.grantAccess([id]), bob.participant.id);
  await eventuallyEqual('the status of Bob', status, 'ACCEPTED_TO_JOIN_STAGE');
  await bob.does((it) => it.stage.join());
  await eventuallyEqual('the status of Bob', status, 'ON_STAGE');
  await bob.does(async (it) => {
    await it.self.enableVideo();
    await it.self.enableAudio();
  });
  await ada.eventuallySeesAndHears(bob);
});
