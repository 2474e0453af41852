// What Salon does not have says so at once and in words; nothing pretends, and nothing hangs.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

const LIMIT = { timeout: 60_000 };

/** What the application hears of `act(meeting)`: the text of its error, or `null` if there is none. */
const refusal = (person, act) =>
  person.asks(async (meeting, source) => {
    try {
      await (0, eval)(source)(meeting);
      return null;
    } catch (error) {
      return error.message;
    }
  }, `(${act})`);

test('who would be transcribed joins like everybody else', LIMIT, async () => {
  const preset = await stage.api.presetLike('group_call_host', 'host who is transcribed', ({ permissions }) => {
    permissions.transcription_enabled = true;
  });
  const meeting = await stage.api.createMeeting();
  const bob = (await stage.gathers(meeting, 'Bob'))[0];
  const ada = await stage.invites('Ada', meeting, { preset });
  assert.equal(await ada.asks(({ self }) => self.permissions.transcriptionEnabled), true);
  await ada.joins();
  await bob.eventuallySeesAndHears(ada);
  assert.deepEqual(await ada.asks(({ ai }) => ai.transcripts), []);
});

test('people of a livestream meet without one, and only who may starts it', LIMIT, async () => {
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset: 'livestream_host' });
  await ada.joins();
  assert.match(await refusal(ada, (it) => it.livestream.stop()), /Livestream not started yet/);
  assert.equal(await ada.asks(({ livestream }) => livestream.state), 'IDLE');
  const bob = await stage.invites('Bob', meeting, { preset: 'livestream_viewer' });
  await bob.joins();
  assert.equal(await bob.asks(({ livestream }) => livestream.state), 'IDLE');
  assert.equal(await bob.asks(({ livestream }) => livestream.playbackUrl ?? null), null);
  assert.match(await refusal(bob, (it) => it.livestream.start()), /permission/);
});
