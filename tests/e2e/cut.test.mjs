// What each client shows is the same for all after somebody's connection was cut, whoever did what meanwhile: a row for each
// thing people can do, done by others, to the one who was cut off, or by them. One cut serves many rows.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Line } from './support/line.mjs';
import { Stage } from './support/stage.mjs';

let stage;
let line;
before(async () => {
  // However busy the machine is, what happens during a cut happens within the grace.
  stage = await Stage.open(import.meta.url, { 'session.grace_secs': 180 });
  line = await Line.open(stage.salon.port);
});
afterEach(() => {
  line.clears();
  return stage.clear();
});
after(async () => {
  line?.close();
  await stage?.close();
});

/** What clients show that all must show alike. */
const SHOWN = {
  chat: (it) =>
    it.chat.messages.map(({ displayName, message, name, isEdited, pinned }) => [displayName, message || name, !!isEdited, !!pinned]),
  polls: (it) => it.polls.items.map(({ question, options }) => [question, ...options.map(({ text, count }) => `${text} ${count}`)]),
  pinned: (it) => [it.self, ...it.participants.joined.toArray()].filter((who) => who.isPinned).map(({ name }) => name),
  people: (it) =>
    [it.self, ...it.participants.joined.toArray()]
      .map(({ name, audioEnabled, videoEnabled, screenShareEnabled = false }) => [name, audioEnabled, videoEnabled, screenShareEnabled])
      .sort(),
  store: () => window.store?.getAll(),
  waiting: (it) => it.participants.waitlisted.toArray().map(({ name }) => name).sort(),
  rooms: (it) => it.connectedMeetings.meetings.map(({ title, participants }) => [title, participants.map((who) => who.displayName)]).sort(),
};

/** Everything that somebody's client shows. */
async function shows(person, only = Object.keys(SHOWN)) {
  const shown = {};
  for (const part of only) shown[part] = await person.asks(SHOWN[part]);
  return shown;
}

/** The connection of whoever goes through `line` is dead until `meanwhile` is over; their page stays. */
async function cut(person, watch, meanwhile) {
  const all = (await watch.now()).live_participants;
  line.blocks();
  line.cut();
  await watch.eventuallyCounts(all - 1, { within: 3_000 });
  const joined = await meanwhile();
  line.clears();
  await watch.eventuallyCounts(joined ?? all, { within: 25_000 });
  await person.eventuallyIs('joined', { within: 25_000 });
}

const sendsFile = (it, name) => it.chat.sendFileMessage(new File(['words'], name, { type: 'text/plain' }));
const opensStore = (person) => person.does(async (it) => (window.store = await it.stores.create('board')));
const createsRoom = (it, title) => it.connectedMeetings.createMeetings([{ title }]);

/** Somebody whose `join` waits as long as they do. */
async function knocks(meeting, name) {
  const person = await stage.invites('Cleo', meeting, { preset: 'group_call_guest', as: name, prepare: { defaults: { audio: false, video: false } } });
  await person.does((it) => {
    void it.join().catch(() => {});
  });
  await person.eventuallyIs('waitlisted');
  return person;
}

/** Ada is the host, Bob is cut off, Cleo is there. */
async function gathers() {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting);
  const bob = await stage.invites('Bob', meeting, { through: line.origin });
  const cleo = await stage.invites('Cleo', meeting, { preset: 'group_call_participant' });
  for (const person of [ada, bob, cleo]) await person.joins();
  await bob.eventuallyMeets(ada, cleo);
  await Promise.all([bob, cleo].map((person) => ada.eventuallySeesAndHears(person)));
  for (const person of [ada, bob, cleo]) await opensStore(person);
  return { meeting, ada, bob, cleo, watch: stage.watches(meeting) };
}

/** All show the same, but for what is for hosts or for one alone; answers with what the host and the one who was cut off show. */
async function eventuallyAlike({ ada, bob, cleo }, check = () => {}) {
  await eventually('all show the same', async () => {
    const [host, cutOff, member] = await Promise.all([ada, bob, cleo].map((person) => shows(person)));
    assert.deepEqual({ ...cutOff, chat: null }, { ...host, chat: null }, 'Bob and Ada');
    assert.deepEqual({ ...member, chat: null, waiting: null }, { ...host, chat: null, waiting: null }, 'Cleo and Ada');
    check(host, cutOff);
  });
}

test('what others do meanwhile, and what they do to whoever is cut off', { timeout: 180_000 }, async () => {
  const { meeting, ada, bob, cleo, watch } = await gathers();
  await ada.does(async (it) => {
    await it.chat.sendTextMessage('edited later');
    await it.chat.sendTextMessage('deleted later');
    await it.chat.sendTextMessage('pinned later');
    await it.polls.create('Tea?', ['yes', 'no']);
  });
  await ada.does(() => window.store.set('gone', 1));
  const waits = await knocks(meeting, 'Dan');
  await eventuallyEqual('what Bob sees', () => shows(bob, ['waiting', 'store']), { waiting: ['Dan'], store: { gone: 1 } });
  await eventuallyEqual('how many messages Bob sees', async () => (await shows(bob, ['chat'])).chat.length, 3);
  await eventuallyEqual('how many polls Cleo sees', async () => (await shows(cleo, ['polls'])).polls.length, 1);

  await cut(bob, watch, async () => {
    // By others.
    const messages = await ada.asks((it) => Object.fromEntries(it.chat.messages.map(({ id, message }) => [message, id])));
    await ada.does(async (it, ids) => {
      await it.chat.editTextMessage(ids['edited later'], 'edited');
      await it.chat.deleteMessage(ids['deleted later']);
      await it.chat.pin(ids['pinned later']);
      await it.chat.sendTextMessage('said meanwhile');
    }, messages);
    await ada.does(sendsFile, 'meanwhile.txt');
    await cleo.does((it, id) => it.chat.sendTextMessage('for Bob alone', [id]), bob.id);
    await ada.does((it, id) => it.chat.sendTextMessage('not for Bob', [id]), cleo.id);
    await cleo.does((it) => it.polls.vote(it.polls.items[0].id, 1));
    await ada.does((it) => it.polls.create('Coffee?', ['yes', 'no']));
    await ada.does(({ self }) => self.disableAudio());
    await cleo.does(({ self }) => self.disableVideo());
    await cleo.does(() => window.person.fakeScreen({ colour: 'magenta', tone: 1_500 }));
    await cleo.does(({ self }) => self.enableScreenShare());
    await ada.does((it, id) => it.participants.joined.get(id).pin(), cleo.id);
    await ada.does(async () => {
      await window.store.delete('gone');
      await window.store.set('new', 2);
    });
    await ada.does(createsRoom, 'Room 1');
    const [dan] = await ada.asks(({ participants }) => participants.waitlisted.toArray().map(({ id }) => id));
    await ada.does(({ participants }, id) => participants.acceptWaitingRoomRequest(id), dan);
    await waits.eventuallyIs('joined');
    await knocks(meeting, 'Eve');
    // To Bob.
    await ada.does(async (it, id) => {
      const him = it.participants.joined.get(id);
      await him.disableAudio();
      await him.disableVideo();
      await it.participants.updatePermissions([id], { polls: { canCreate: false } });
    }, bob.id);
    return 4;
  });

  const chat = (...mine) => mine.map(([who, what, edited = false, pinned = false]) => [who, what, edited, pinned]);
  await eventuallyAlike({ ada, bob, cleo }, (host, cutOff) => {
    assert.deepEqual(host.polls, [['Tea?', 'yes 0', 'no 1'], ['Coffee?', 'yes 0', 'no 0']]);
    assert.deepEqual(host.pinned, ['Cleo']);
    assert.deepEqual(host.store, { new: 2 });
    assert.deepEqual(host.waiting, ['Eve']);
    assert.deepEqual(host.rooms, [['Room 1', []]]);
    assert.deepEqual(host.people, [
      ['Ada', false, true, false],
      ['Bob', false, false, false],
      ['Cleo', true, false, true],
      ['Dan', false, false, false],
    ]);
    assert.deepEqual(cutOff.chat, chat(
      ['Ada', 'edited', true], ['Ada', 'pinned later', false, true], ['Ada', 'said meanwhile'], ['Ada', 'meanwhile.txt'], ['Cleo', 'for Bob alone'],
    ));
  });
  await eventuallyEqual('what Bob may do', () => bob.asks(({ self }) => self.permissions.polls.canCreate), false);
  await bob.eventuallySees(cleo, { source: 'screen', colour: 'magenta' });
  await bob.eventuallyHears(cleo);
  await ada.eventuallyHearsNothingOf(bob);
  await bob.does(({ self }) => self.enableAudio());
  await ada.eventuallyHears(bob);

  // And the other way round: what was on ends.
  await cut(bob, watch, async () => {
    await cleo.does(({ self }) => self.disableScreenShare());
    await cleo.does(({ self }) => self.enableVideo());
    await ada.does(({ self }) => self.enableAudio());
    await ada.does((it, id) => it.participants.joined.get(id).unpin(), cleo.id);
    await ada.does((it) => it.participants.joined.toArray().find(({ name }) => name === 'Dan').kick());
    const [eve] = await ada.asks(({ participants }) => participants.waitlisted.toArray().map(({ id }) => id));
    await ada.does(({ participants }, id) => participants.rejectWaitingRoomRequest(id), eve);
    await ada.does(({ connectedMeetings }) => connectedMeetings.deleteMeetings(connectedMeetings.meetings.map(({ id }) => id)));
    return 3;
  });
  await eventuallyAlike({ ada, bob, cleo }, (host) => {
    assert.deepEqual([host.pinned, host.waiting, host.rooms], [[], [], []]);
    assert.deepEqual(host.people, [['Ada', true, true, false], ['Bob', true, false, false], ['Cleo', true, true, false]]);
  });
  await bob.eventuallySeesAndHears(ada, cleo);
});

// What they write to shared stores stays on their own page: the client neither sends it later nor takes it back, and reads the
// store again only when the application says so (`stores.refresh`; read in web SDK 2.0.2).
test('what the one who is cut off does meanwhile, as far as their client lets them', { timeout: 180_000 }, async () => {
  const { ada, bob, cleo, watch } = await gathers();
  await ada.does((it) => it.polls.create('Tea?', ['yes', 'no']));
  await eventuallyEqual('how many polls Bob sees', async () => (await shows(bob, ['polls'])).polls.length, 1);
  const does = (act, given) => bob.does(async (it, [source, argument]) => {
    // What waits for an answer that never comes is left alone.
    const done = (0, eval)(`(${source})`)(it, argument);
    await Promise.race([done, new Promise((late) => setTimeout(late, 500))]).catch(() => {});
  }, [act.toString(), given]);
  await cut(bob, watch, async () => {
    await does(({ self }) => self.disableAudio());
    await does(({ self }) => self.disableVideo());
    await does((it) => it.chat.sendTextMessage('said while away'));
    await does((it) => it.polls.vote(it.polls.items[0].id, 1));
    await does((it) => it.polls.create('Coffee?', ['yes', 'no']));
    await does((it, id) => it.participants.joined.get(id).pin(), cleo.id);
    await does((it, id) => it.participants.joined.get(id).disableAudio(), cleo.id);
  });
  await eventuallyAlike({ ada, bob, cleo }, (host, cutOff) => {
    assert.deepEqual(host.people, [['Ada', true, true, false], ['Bob', false, false, false], ['Cleo', true, true, false]]);
    assert.deepEqual(cutOff.chat, host.chat);
  });
  await ada.eventuallyHearsNothingOf(bob);
  await bob.does(({ self }) => self.enableAudio());
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySeesAndHears(bob);
});

test('who is removed while cut off stays out, and knows it', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting, { through: line.origin });
  await bob.joins();
  await ada.eventuallyMeets(bob);
  const watch = stage.watches(meeting);
  line.blocks();
  line.cut();
  await watch.eventuallyCounts(1, { within: 3_000 });
  await ada.does((it, id) => it.participants.joined.get(id).kick(), bob.id);
  await ada.eventuallyMeets();
  line.clears();
  await bob.eventuallyIs('kicked', { within: 25_000 });
  assert.equal((await watch.now()).live_participants, 1);
  await ada.eventuallyMeets();
});
