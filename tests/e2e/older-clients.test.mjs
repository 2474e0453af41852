// Clients of every age: the web SDKs that came before, as they ship, in thirteen steps with the newest one at the other end.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { OLDER } from './support/application.mjs';
import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Who shared what in writing, newest first. */
const said = (person) => person.asks((it) => it.chat.messages.map(({ message, link }) => message ?? link));

/** The text of the newest file in the chat, from where its link leads. */
const readsFile = (person) =>
  person.asks(async (it) => {
    const link = it.chat.messages.find(({ type }) => type === 'file')?.link;
    return link ? (await fetch(link)).text() : null;
  });

const polls = (person) =>
  person.asks((it) => it.polls.items.map(({ question, options }) => [question, ...options.map(({ count }) => Number(count))]));

for (const client of Object.keys(OLDER)) {
  describe(client, () => {
    test('joins, sees and hears, writes, votes, mutes, shares, kicks and leaves', { timeout: 150_000 }, async () => {
      const meeting = await stage.api.createMeeting();
      const ada = await stage.invites('Ada', meeting, { client });
      await ada.joins();
      // Then it hears of Bob's camera by itself, not in the answer to its own join.
      await eventually('Ada is connected both ways', async () => {
        assert.equal((await ada.asks(() => window.person.protocols())).length, 2);
      });
      const bob = await stage.invites('Bob', meeting);
      await bob.joins();
      await ada.eventuallyMeets(bob);
      await bob.eventuallyMeets(ada);
      await ada.eventuallySeesAndHears(bob);
      await bob.eventuallySeesAndHears(ada);

      await ada.does((it) => it.chat.sendTextMessage('hello'));
      await bob.does((it) => it.chat.sendTextMessage('good day'));
      for (const person of [ada, bob]) {
        await eventually(`${person.name} reads both`, async () => assert.deepEqual((await said(person)).sort(), ['good day', 'hello']));
      }
      await ada.does((it) => it.chat.sendFileMessage(new File(['minutes'], 'minutes.txt', { type: 'text/plain' })));
      await eventuallyEqual('the file Bob has', () => readsFile(bob), 'minutes', { within: 20_000 });
      await bob.does((it) => it.polls.create('Tea?', ['yes', 'no']));
      await eventuallyEqual("Ada's polls", () => polls(ada), [['Tea?', 0, 0]]);
      await ada.does((it) => it.polls.vote(it.polls.items[0].id, 1));
      await eventuallyEqual("Bob's polls", () => polls(bob), [['Tea?', 0, 1]]);

      await ada.does((it, id) => it.participants.joined.get(id).disableAudio(), bob.id);
      await ada.eventuallyShows(bob, { microphone: false });
      await ada.eventuallyHearsNothingOf(bob);
      for (let time = 0; time < 3; time++) {
        await ada.does((it) => it.self.disableVideo());
        await bob.eventuallyShows(ada, { camera: false });
        await ada.does((it) => it.self.enableVideo());
        await bob.eventuallySees(ada);
      }
      await ada.does((it, id) => it.participants.joined.get(id).pin(), bob.id);
      await eventuallyEqual('who is pinned for Bob', () => bob.asks((it) => it.self.isPinned), true);

      await ada.does((_, look) => window.person.fakeScreen(look), { colour: 'magenta', tone: 1_500 });
      await ada.does((it) => it.self.enableScreenShare());
      await bob.eventuallyShows(ada, { screen: true });
      await bob.eventuallySees(ada, { source: 'screen', colour: 'magenta' });
      await ada.does((it) => it.self.disableScreenShare());
      await bob.eventuallyShows(ada, { screen: false });

      await ada.does((it, id) => it.participants.joined.get(id).kick(), bob.id);
      await bob.eventuallyIs('kicked');
      await ada.eventuallyMeets();
      await ada.leaves();
      await eventuallyEqual('how many are counted', async () => (await stage.api.activeSession(meeting))?.live_participants, 0);
    });
  });
}
