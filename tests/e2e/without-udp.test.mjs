// People behind firewalls that let no UDP out: their calls take TCP, to the port that serves everything else.

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

/** Each has a connection to send on and one to receive on. */
async function eventuallyTakes(person, protocol) {
  await eventually(`${person.name}'s media takes ${protocol}`, async () => {
    assert.deepEqual(await person.asks(() => window.person.protocols()), [protocol, protocol]);
  });
}

/** Two people in a meeting; `withoutUdp` names those whose network lets none out. */
async function call(...withoutUdp) {
  const meeting = await stage.api.createMeeting();
  const people = await Promise.all(
    ['Ada', 'Bob'].map((name) => stage.invites(name, meeting, { withoutUdp: withoutUdp.includes(name) })),
  );
  for (const person of people) await person.joins();
  const [ada, bob] = people;
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
  return people;
}

test('two people without UDP see and hear each other, also after their cameras were off', { timeout: 120_000 }, async () => {
  const [ada, bob] = await call('Ada', 'Bob');
  await eventuallyTakes(ada, 'tcp');
  await eventuallyTakes(bob, 'tcp');
  await bob.does(({ self }) => self.disableVideo());
  await ada.eventuallyShows(bob, { camera: false, microphone: true });
  await ada.eventuallyHears(bob);
  await bob.does(({ self }) => self.enableVideo());
  await ada.eventuallySees(bob);
  await ada.does(({ self }) => self.disableAudio());
  await bob.eventuallyHearsNothingOf(ada);
  await ada.does(({ self }) => self.enableAudio());
  await bob.eventuallySeesAndHears(ada);
});

test('one without UDP and one with it see and hear each other', { timeout: 120_000 }, async () => {
  const [ada, bob] = await call('Bob');
  await eventuallyTakes(ada, 'udp');
  await eventuallyTakes(bob, 'tcp');
  await bob.does(({ self }) => self.disableVideo());
  await ada.eventuallyShows(bob, { camera: false, microphone: true });
  await bob.does(({ self }) => self.enableVideo());
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
});

test('when they leave, nothing of their connections is left', { timeout: 120_000 }, async () => {
  const connections = async () => {
    const text = await (await fetch(new URL('/metrics', stage.salon.origin))).text();
    return Number(/^salon_media_tcp_connections (\d+)$/m.exec(text)[1]);
  };
  const people = await call('Ada', 'Bob');
  assert.ok((await connections()) >= 4);
  for (const person of people) await person.leaves();
  await eventually('all connections are closed', async () => assert.equal(await connections(), 0), { within: 30_000 });
});
