// Two servers that share a Postgres. Everybody's client reaches the one, and the other has their meeting: nobody notices, whoever
// asks either hears the same, and when the one with the meeting is killed the meeting goes on at the one they reach.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Api } from './support/api.mjs';
import { clockAhead } from './support/clock.mjs';
import { eventually } from './support/eventually.mjs';
import { Postgres, postgres } from './support/postgres.mjs';
import { Salon } from './support/salon.mjs';
import { Stage } from './support/stage.mjs';

/** Clients whose socket is closed come back within 5 s, and then ever less often. */
const BACK = { within: 30_000 };

const SILENT = { defaults: { audio: false, video: false } };

/** How often each is asked, to see what passing on costs. */
const TIMES = 40;

let database;
let stage;
let near;

/** The one in the middle. */
const half = (all) => all.toSorted((one, other) => one - other)[all.length >> 1];

/** What active-session says, as soon as it can: on a busy machine a server may miss its renewals for a moment, and says so. */
const asks = (api, meeting) => eventually('active-session answers', () => api.activeSession(meeting));

/** How long an answer takes, in ms. */
async function takes(api, meeting) {
  const all = [];
  for (let n = 0; n < TIMES; n++) {
    const asked = performance.now();
    await asks(api, meeting);
    all.push(performance.now() - asked);
  }
  return half(all);
}

/** Ada and Bob reach `near`, and see and hear each other in a meeting that the stage's own Salon has. */
async function gathers() {
  const meeting = await stage.api.createMeeting();
  const cleo = await stage.invites('Cleo', meeting, { prepare: SILENT });
  await cleo.joins();
  const [ada, bob] = await Promise.all(['Ada', 'Bob'].map((name) => stage.invites(name, meeting, { through: near.salon.origin })));
  await ada.joins();
  await bob.joins();
  await bob.eventuallyMeets(ada, cleo);
  await cleo.eventuallyMeets(ada, bob);
  await cleo.leaves();
  await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
  return { meeting, ada, bob };
}

describe('two servers', { skip: !postgres() && 'Postgres is not installed' }, () => {
  before(async () => {
    database = await Postgres.open();
    const settings = { 'database.url': database.url, 'cluster.listen': '127.0.0.1:0' };
    stage = await Stage.open(import.meta.url, { ...settings, 'node.name': 'far' });
    // One that goes by its machine's clock would take people for away so long, and the session for over.
    const salon = await Salon.start('nodes-near', { ...settings, 'node.name': 'near' }, clockAhead(180));
    near = { salon, api: new Api(salon.origin) };
  });
  afterEach(() => stage.clear());
  after(async () => {
    await stage?.close();
    await near?.salon.close();
    database?.close();
  });

  test('whoever reaches the other one is in the meeting, and may be asked about and removed through both', { timeout: 120_000 }, async (context) => {
    const { meeting, ada, bob } = await gathers();
    const told = await Promise.all([stage.api, near.api].map((api) => asks(api, meeting)));
    for (const { id, live_participants: live, max_concurrent_participants: most } of told) {
      assert.deepEqual([id, live, most], [told[0].id, 2, 3]);
    }
    const [here, there] = [await takes(stage.api, meeting), await takes(near.api, meeting)];
    context.diagnostic(`active-session takes ${here.toFixed(1)} ms where the meeting is, ${there.toFixed(1)} ms at the other`);
    await ada.does((it) => it.chat.sendTextMessage('hello'));
    await eventually('Bob reads it', async () => {
      assert.deepEqual(await bob.asks((it) => it.chat.messages.map(({ message }) => message)), ['hello']);
    });
    await near.api.kick(meeting, { participant_ids: [bob.participant.id] });
    await bob.eventuallyIs('kicked');
    await ada.eventuallyMeets();
    for (const api of [stage.api, near.api]) assert.equal((await asks(api, meeting)).live_participants, 1);
    const { kicked_participants_count: kicked } = await near.api.kickAll(meeting);
    assert.equal(kicked, 1);
    await ada.eventuallyIs('ended');
    for (const api of [stage.api, near.api]) assert.equal(await asks(api, meeting), null);
  });

  test('the one with the meeting is killed: it goes on where everybody is, with all that was told', { timeout: 150_000 }, async (context) => {
    const { meeting, ada, bob } = await gathers();
    const watches = [stage.api, near.api].map((api) => stage.watches(meeting, { api, isOneOfMany: true }));
    const [, watch] = watches;
    const told = await asks(stage.api, meeting);
    for (const [one, other] of [[ada, bob], [bob, ada]]) await one.times(other);

    await stage.salon.kill();
    const killed = performance.now();
    const since = () => `${((performance.now() - killed) / 1_000).toFixed(1)} s after the kill`;
    const goesOn = await asks(near.api, meeting);
    context.diagnostic(`active-session answers ${since()}`);
    assert.equal(goesOn.id, told.id);
    assert.ok(goesOn.minutes_consumed >= told.minutes_consumed, `${goesOn.minutes_consumed} after ${told.minutes_consumed}`);
    await watch.eventuallyCounts(2, BACK);
    context.diagnostic(`both are counted again ${since()}`);
    await Promise.all([ada.eventuallySeesAndHears(bob), bob.eventuallySeesAndHears(ada)]);
    context.diagnostic(`both see and hear each other ${since()}`);
    for (const [one, other] of [[ada, bob], [bob, ada]]) {
      const { picture, sound } = await one.longestGaps(other);
      context.diagnostic(`${one.name} saw nothing new of ${other.name} for ${picture} ms, heard nothing for ${sound} ms`);
      assert.equal(await one.asks((it) => it.self.id), one.id);
      assert.deepEqual(await one.asks(({ self }) => [self.audioEnabled, self.videoEnabled]), [true, true]);
    }
    await stage.salon.startAgain();
    const again = await asks(stage.api, meeting);
    assert.deepEqual([again.id, again.live_participants, again.max_concurrent_participants], [told.id, 2, 3]);
    for (const each of watches) await each.stop();
  });
});
