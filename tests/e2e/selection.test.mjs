// More people than a client shows at once: who speaks, shares a screen or is pinned is shown, to late ones as well.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { always, eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
let preset;
before(async () => {
  stage = await Stage.open(import.meta.url);
  // Room for oneself and one other.
  preset = await stage.api.presetLike('group_call_host', 'two_pictures', ({ config }) => {
    config.max_video_streams = { desktop: 2, mobile: 2 };
  });
});
afterEach(() => stage.clear());
after(() => stage?.close());

const LIMIT = { timeout: 120_000 };

/** Three people whose microphones are off. */
async function three() {
  const meeting = await stage.api.createMeeting();
  const prepare = { defaults: { audio: false, video: true } };
  const people = await Promise.all(['Ada', 'Bob', 'Cleo'].map((name) => stage.invites(name, meeting, { preset, prepare })));
  for (const person of people) await person.joins();
  await people[2].eventuallyMeets(people[0], people[1]);
  return people;
}

const speaks = (person) => person.does(({ self }) => self.enableAudio());
const falls = (person) => person.does(({ self }) => self.disableAudio());

/** Whose pictures this client shows, and who it says spoke last. */
const shown = (person) => person.asks(({ participants }) => participants.active.toArray().map(({ name }) => name));
const lastSpeaker = (person) =>
  person.asks(({ participants }) => participants.joined.get(participants.lastActiveSpeaker)?.name ?? null);
const eventuallyShows = (person, ...names) => eventuallyEqual(`who ${person.name} is shown`, () => shown(person), names);
const eventuallyLastSpeaks = (person, name) =>
  eventuallyEqual(`who spoke last for ${person.name}`, () => lastSpeaker(person), name);

/** The same participant on a new page, as one who comes late. */
async function comesAnew(person) {
  await person.leaves();
  await person.goesAway();
  const late = await stage.opensAgain(person);
  await late.joins();
  return late;
}

test('whoever speaks is shown and named, to those who come late as well', LIMIT, async () => {
  const [ada, bob, cleo] = await three();
  assert.equal(await lastSpeaker(cleo), null, 'silence names nobody');
  await speaks(bob);
  await eventuallyLastSpeaks(cleo, 'Bob');
  await eventuallyShows(cleo, 'Bob');
  await Promise.all([cleo.eventuallySees(bob), cleo.eventuallyHears(bob)]);
  await eventuallyLastSpeaks(ada, 'Bob');

  await falls(bob);
  await speaks(ada);
  await eventuallyLastSpeaks(cleo, 'Ada');
  await eventuallyShows(cleo, 'Ada');
  await Promise.all([cleo.eventuallySees(ada), cleo.eventuallyHears(ada)]);
  assert.equal(await cleo.looksAt(bob), null, 'there is one picture at a time');

  await falls(ada);
  await speaks(bob);
  await eventuallyShows(cleo, 'Bob');
  const late = await comesAnew(cleo);
  await eventuallyLastSpeaks(late, 'Bob');
  await eventuallyShows(late, 'Bob');
  await late.eventuallySees(bob);
});

test('a shared screen is shown whoever speaks, to those who come late as well', LIMIT, async () => {
  const [ada, bob, cleo] = await three();
  await speaks(ada);
  await eventuallyShows(cleo, 'Ada');
  await bob.does((meeting) => {
    window.person.fakeScreen({ colour: 'blue' });
    return meeting.self.enableScreenShare();
  });
  await eventuallyShows(cleo, 'Bob');
  await cleo.eventuallySees(bob, { source: 'screen', colour: 'blue' });
  await cleo.eventuallyHears(ada);
  assert.equal(await lastSpeaker(cleo), 'Ada', 'who shares does not speak');

  const late = await comesAnew(cleo);
  await eventuallyShows(late, 'Bob');
  await late.eventuallySees(bob, { source: 'screen', colour: 'blue' });

  // A word of the one who shares must not end what everyone has to see.
  await falls(ada);
  await speaks(bob);
  await eventuallyLastSpeaks(late, 'Bob');
  await falls(bob);
  await speaks(ada);
  await eventuallyLastSpeaks(late, 'Ada');
  await always('Bob is shown', 1_000, async () => assert.deepEqual(await shown(late), ['Bob']));

  await bob.does(({ self }) => self.disableScreenShare());
  await eventuallyShows(late, 'Ada');
});

test('a pin is shown whoever speaks, to those who come late as well', LIMIT, async () => {
  const [ada, bob, cleo] = await three();
  await speaks(ada);
  await eventuallyShows(cleo, 'Ada');
  await ada.does(({ participants }, id) => participants.joined.get(id).pin(), bob.id);
  await eventuallyShows(cleo, 'Bob');
  await cleo.eventuallySees(bob);
  const late = await comesAnew(cleo);
  await eventuallyShows(late, 'Bob');
  await ada.does(({ participants }, id) => participants.joined.get(id).unpin(), bob.id);
  await eventuallyShows(late, 'Ada');
});

test('somebody whose connection was broken learns what has changed meanwhile', LIMIT, async () => {
  const [ada, bob, cleo] = await three();
  await bob.does((meeting) => {
    window.person.fakeScreen({ colour: 'blue' });
    return meeting.self.enableScreenShare();
  });
  await speaks(ada);
  await eventuallyLastSpeaks(cleo, 'Ada');
  await eventuallyShows(cleo, 'Bob');
  // It may be back before anybody has looked.
  await cleo.asks(() => window.person.losesSocket());
  await cleo.eventuallyNotes('socket', 'disconnected');
  await bob.does(({ self }) => self.disableScreenShare());
  await falls(ada);
  await cleo.eventuallyIs('joined');
  await eventuallyShows(cleo, 'Ada');
  await speaks(bob);
  await eventuallyShows(cleo, 'Bob');
});
