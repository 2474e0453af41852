// What people have made together is still there after kill -9, for those who were in and for those who come later, and
// goes on working.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventuallyEqual } from './support/eventually.mjs';
import { freePorts } from './support/ports.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  // The same port before and after, as in real life: connections of before are refused then, not unreachable.
  stage = await Stage.open(import.meta.url, { 'media.port': await freePorts(1), 'media.threads': 1 });
});
afterEach(() => stage.clear());
after(() => stage?.close());

const BACK = { within: 40_000 };

const seen = {
  chat: (person) => person.asks((it) => it.chat.messages.map(({ message }) => message)),
  votes: (person) => person.asks((it) => it.polls.items.map(({ options }) => options.map(({ count }) => Number(count)))),
  pins: (person) => person.asks((it) => it.participants.pinned.toArray().map(({ name }) => name)),
  store: (person) => person.asks(() => window.store.getAll()),
};
const opensStore = (person) => person.does(async (it) => (window.store = await it.stores.create('board')));

test('chat, polls, stores, pins and the stage outlive the server', { timeout: 150_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const ada = await stage.invites('Ada', meeting, { preset: 'webinar_presenter' });
  const bob = await stage.invites('Bob', meeting, { preset: 'webinar_viewer' });
  await ada.joins();
  await bob.joins();
  for (const person of [ada, bob]) await opensStore(person);
  await ada.does((it, id) => it.stage.grantAccess([id]), bob.participant.id);
  await eventuallyEqual('where Bob stands', () => bob.asks((it) => it.stage.status), 'ACCEPTED_TO_JOIN_STAGE');
  await bob.does((it) => it.stage.join());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySees(bob);
  await ada.does((it, id) => it.participants.joined.get(id).pin(), bob.id);
  await bob.does((it) => it.chat.sendTextMessage('before'));
  await ada.does((it) => it.polls.create('Tea?', ['yes', 'no']));
  await eventuallyEqual('the poll of Bob', () => seen.votes(bob), [[0, 0]]);
  await bob.does((it) => it.polls.vote(it.polls.items[0].id, 1));
  await ada.does(() => window.store.bulkSet([{ key: 'colour', payload: 'green' }, { key: 'size', payload: 3 }]));
  const all = async (person, others) => {
    await eventuallyEqual(`the chat of ${person.name}`, () => seen.chat(person), ['before'], BACK);
    await eventuallyEqual(`the poll of ${person.name}`, () => seen.votes(person), [[0, 1]], BACK);
    await eventuallyEqual(`the store of ${person.name}`, () => seen.store(person), { colour: 'green', size: 3 }, BACK);
    if (others) await eventuallyEqual(`the pin of ${person.name}`, () => seen.pins(person), ['Bob'], BACK);
  };
  await all(ada, true);
  await all(bob, false);

  await stage.salon.kill();
  await stage.salon.startAgain();
  await watch.eventuallyCounts(2, BACK);
  for (const person of [ada, bob]) await person.eventuallyIs('joined', BACK);
  await all(ada, true);
  await all(bob, false);
  assert.equal(await bob.asks((it) => it.stage.status), 'ON_STAGE');
  await ada.eventuallySees(bob, BACK);

  const cleo = await stage.invites('Cleo', meeting, { preset: 'webinar_viewer' });
  await cleo.joins();
  await opensStore(cleo);
  await all(cleo, true);

  // It all goes on.
  await cleo.does((it) => it.polls.vote(it.polls.items[0].id, 0));
  // A second vote of the same person does not count, whether or not the client is told.
  await bob.does((it) => it.polls.vote(it.polls.items[0].id, 0)).catch(() => {});
  await ada.does((it) => it.chat.sendTextMessage('after'));
  await ada.does(() => window.store.set('colour', 'blue'));
  for (const person of [ada, bob, cleo]) {
    await eventuallyEqual(`the poll of ${person.name}`, () => seen.votes(person), [[1, 1]]);
    await eventuallyEqual(`the chat of ${person.name}`, () => seen.chat(person), ['before', 'after']);
    await eventuallyEqual(`the store of ${person.name}`, () => seen.store(person), { colour: 'blue', size: 3 });
  }
});

test('after kill -9 everybody is seen and heard again as soon as their clients allow', { timeout: 180_000 }, async (context) => {
  const meeting = await stage.api.createMeeting();
  const watch = stage.watches(meeting);
  const people = await stage.gathers(meeting, 'Ada', 'Bob');
  const pairs = [people, [...people].reverse()];
  for (let round = 0; round < 3; round++) {
    await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
    for (const [one, other] of pairs) await one.times(other);
    await stage.salon.kill();
    await stage.salon.startAgain();
    await watch.eventuallyCounts(2, BACK);
    for (const person of people) await person.eventuallyIs('joined', BACK);
    await Promise.all(pairs.map(([one, other]) => one.eventuallySeesAndHears(other)));
    for (const [one, other] of pairs) {
      const { picture, sound } = await one.longestGaps(other);
      context.diagnostic(`${one.name} saw nothing new of ${other.name} for ${picture} ms, heard nothing for ${sound} ms`);
      assert.deepEqual(await one.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true], `${one.name} is on`);
    }
  }
});

test('stores tell who listens, delete, and say when somebody writes too often', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  for (const person of [ada, bob]) await opensStore(person);
  await bob.does(() => {
    window.heard = [];
    window.store.subscribe('colour', (change) => window.heard.push(change));
  });
  await ada.does(() => window.store.bulkSet([{ key: 'colour', payload: 'green' }, { key: 'size', payload: 3 }]));
  await eventuallyEqual('what Bob hears', () => bob.asks(() => window.heard), [{ colour: 'green' }]);
  await ada.does(() => window.store.bulkDelete([{ key: 'size' }]));
  await eventuallyEqual('the store of Bob', async () => (await seen.store(bob)).size ?? null, null);
  await ada.does(() => window.store.delete('colour'));
  await eventuallyEqual('the store of Bob', async () => (await seen.store(bob)).colour ?? null, null);

  const tooOften = ada.does(async () => {
    for (let n = 0; n < 6; n++) await window.store.set(`key ${n}`, n);
  });
  await assert.rejects(tooOften, /limit/i);
  const late = await stage.invites('Cleo', meeting);
  await late.joins();
  await opensStore(late);
  await eventuallyEqual('what a late one finds', async () => Object.keys(await seen.store(late)).length, 5);
});
