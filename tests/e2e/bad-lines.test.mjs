// Calls over lines that are slow, or lose what they carry: people go on seeing and hearing each other, in the size that
// fits. How long pictures froze is printed and not judged: a busy machine freezes them too.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as passes } from 'node:timers/promises';

import { Air } from './support/air.mjs';
import { DARES, eventually } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

let air;
let stage;

before(async () => {
  air = await Air.open();
  stage = await Stage.open(import.meta.url, air.settings);
});
afterEach(() => {
  Object.assign(air, { rate: Infinity, delay: 0, loss: 0 });
  return stage.clear();
});
after(async () => {
  await stage?.close();
  air?.close();
});

/** Ada sends three sizes, Bob watches her large. */
async function call() {
  const preset = await stage.api.presetLike('group_call_host', `simulcast ${Math.random()}`, ({ config }) => {
    config.media.video = { quality: 'hd', frame_rate: 15, simulcast: true };
  });
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset, camera: { width: 1280, height: 720 } });
  await ada.joins();
  const [bob] = await stage.gathers(meeting, 'Bob');
  await bob.eventuallySeesAndHears(ada);
  await bob.does((_, id) => window.person.resizes(id, 1280, 720), ada.id);
  return { ada, bob, quality: () => bob.asks((_, id) => window.person.quality(id), ada.id) };
}

/** What changed over some seconds. */
async function over(seconds, quality) {
  const first = await quality();
  await passes(seconds * 1_000);
  const last = await quality();
  return { ...last, frozen: last.frozen - first.frozen, shown: last.shown - first.shown, freezes: last.freezes - first.freezes };
}

/** Prints what the browser counted. */
function tells(t, { freezes, frozen, shown, width }) {
  t.diagnostic(`${freezes} freezes, ${frozen.toFixed(1)} of ${shown.toFixed(0)} s, ${width} pixels wide`);
}

test('who has a slow line sees a smaller picture that moves, and a large one when the line is good again', { timeout: 200_000 }, async (t) => {
  const { ada, bob, quality } = await call();
  await eventually('the picture is large', async () => assert.ok((await quality()).width >= 640), DARES);
  air.rate = 150_000;
  await eventually('the picture is small', async () => assert.ok((await quality()).width <= 640), { within: 30_000 });
  await bob.eventuallySeesAndHears(ada);
  tells(t, await over(10, quality));
  await bob.eventuallySeesAndHears(ada);
  air.rate = Infinity;
  await eventually('the picture is large again', async () => assert.ok((await quality()).width >= 960), DARES);
  await bob.eventuallySeesAndHears(ada);
  assert.deepEqual((await bob.looksAt(ada)).garbage, []);
});

test('with a tenth of the packets lost and 50 ms more to go, the picture moves on', { timeout: 120_000 }, async (t) => {
  const { ada, bob, quality } = await call();
  Object.assign(air, { delay: 50, loss: 0.1 });
  // The receiver learns how long to wait for what is sent again.
  await passes(5_000);
  const lossy = await over(60, quality);
  tells(t, lossy);
  await bob.eventuallySeesAndHears(ada);
  assert.deepEqual((await bob.looksAt(ada)).garbage, []);
});

test('after a second in which much is lost, the picture is whole again', { timeout: 120_000 }, async (t) => {
  const { ada, bob, quality } = await call();
  air.delay = 25;
  await passes(3_000);
  air.loss = 0.3;
  await passes(1_000);
  air.loss = 0;
  const burst = await over(8, quality);
  tells(t, burst);
  await bob.eventuallySeesAndHears(ada);
  assert.deepEqual((await bob.looksAt(ada)).garbage, []);
});
