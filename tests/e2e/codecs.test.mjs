// Cameras in every codec that browsers offer, alone and with several layers in one stream.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { firefox } from './support/browsers.mjs';
import { DARES, eventually } from './support/eventually.mjs';
import { Stage, THREE_SIZES } from './support/stage.mjs';

/** Of smaller ones Chromium makes fewer than three layers, or fewer than three streams, whatever it is told. Larger and
 * faster ones say no more, and keep a machine busy that has no encoder of its own. */
const LAYERED = { width: 960, height: 540, rate: 8 };
/** Who only watches. */
const SILENT = { prepare: { defaults: { audio: false, video: false } } };

let stage;
let preset;
before(async () => {
  stage = await Stage.open(import.meta.url);
  preset = await stage.api.presetLike('group_call_host', 'layers_host', ({ config }) => {
    config.media.video = { quality: 'hd', frame_rate: 15, simulcast: true };
  });
});
afterEach(() => stage.clear());
after(() => stage?.close());

async function publisher(name, meeting, given, options) {
  const person = await stage.invites(name, meeting, options);
  await person.does((_, how) => window.person.publishes(how), given);
  await person.joins();
  return person;
}

async function eventuallyComesAs(bob, ada, codec) {
  await eventually(`${ada.name}'s camera comes as ${codec}`, async () => {
    assert.equal((await bob.receivesFrom(ada)).codec, codec);
  });
}

for (const codec of ['video/VP8', 'video/H264', 'video/VP9', 'video/AV1']) {
  test(`a camera that publishes ${codec} is seen, also by who comes later`, { timeout: 90_000 }, async () => {
    const meeting = await stage.api.createMeeting();
    const ada = await publisher('Ada', meeting, { codec });
    const [bob] = await stage.gathers(meeting, 'Bob');
    await bob.eventuallySees(ada);
    await eventuallyComesAs(bob, ada, codec);
    await ada.eventuallySees(bob);
    await eventuallyComesAs(ada, bob, 'video/VP8');
    const [cleo] = await stage.gathers(meeting, 'Cleo');
    await cleo.eventuallySees(ada);
    await cleo.eventuallySees(bob);
    await ada.does(({ self }) => self.disableVideo());
    await bob.eventuallySeesNoPictureOf(ada);
    await ada.does(({ self }) => self.enableVideo());
    await bob.eventuallySees(ada);
    for (const viewer of [bob, cleo]) assert.deepEqual((await viewer.looksAt(ada)).garbage, []);
  });
}

const missing = firefox() ? false : 'Firefox is not installed (SALON_TEST_REQUIRE_FIREFOX=1 makes this a failure)';
const skip = process.env.SALON_TEST_REQUIRE_FIREFOX === '1' ? false : missing;

for (const codec of ['video/VP9', 'video/AV1']) {
  test(`somebody with Firefox sees ${codec}`, { skip, timeout: 90_000 }, async () => {
    const meeting = await stage.api.createMeeting();
    const ada = await publisher('Ada', meeting, { codec });
    const bob = await stage.invitesWithFirefox('Bob', meeting);
    await bob.joins();
    await bob.eventuallySees(ada);
    await eventuallyComesAs(bob, ada, codec);
    await ada.eventuallySees(bob);
  });
}

test('everybody publishes something else and sees all the others', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const people = [];
  for (const [name, codec] of [['Ada', 'video/H264'], ['Bob', 'video/VP9'], ['Cleo', 'video/AV1']]) {
    people.push(Object.assign(await publisher(name, meeting, { codec }), { codec }));
  }
  for (const viewer of people) {
    for (const other of people.filter((person) => person !== viewer)) {
      await viewer.eventuallySees(other);
      await eventuallyComesAs(viewer, other, other.codec);
      assert.deepEqual((await viewer.looksAt(other)).garbage, []);
    }
  }
});

for (const [codec, scalabilityMode, layers] of [
  ['video/VP9', 'L1T3', 1],
  ['video/VP9', 'L3T3_KEY', 3],
  ['video/VP9', 'L3T3', 3],
  ['video/AV1', 'L1T3', 1],
  ['video/AV1', 'L3T3_KEY', 3],
  // Streams of their own, and what Chromium makes of that with VP9: layers of one.
  ['video/H264', 'simulcast', 3],
  ['video/VP9', 'simulcast', 3],
]) {
  test(`${codec} in ${scalabilityMode}: everybody gets as much of it as they draw`, { timeout: 240_000 }, async () => {
    const meeting = await stage.api.createMeeting();
    const simulcast = scalabilityMode === 'simulcast';
    const how = simulcast ? { codec } : { codec, scalabilityMode };
    const camera = simulcast ? THREE_SIZES : LAYERED;
    const ada = await publisher('Ada', meeting, how, { preset, camera });
    const [bob, cleo] = await Promise.all(['Bob', 'Cleo'].map((name) => stage.invites(name, meeting, SILENT)));
    for (const viewer of [bob, cleo]) await viewer.joins();
    const draws = (who, width, height) => who.does((_, given) => window.person.resizes(...given), [ada.id, width, height]);
    const eventuallyIs = (who, wanted, fits) =>
      eventually(`the picture is ${wanted} for ${who.name}`, async () => {
        const picture = await who.looksAt(ada);
        assert.ok(picture && fits(picture.width), JSON.stringify(picture));
      }, DARES);
    // The SDK wants the full layer at first, and later a quarter or half of it.
    const large = (width) => width >= camera.width / 2;
    const small = (width) => width <= camera.width / 2 ** (layers - 1);

    for (const viewer of [bob, cleo]) {
      await viewer.eventuallySees(ada);
      await eventuallyComesAs(viewer, ada, codec);
      await draws(viewer, camera.width, camera.height);
    }
    await eventuallyIs(bob, 'large', large);
    for (let round = 0; round < 2; round++) {
      await draws(bob, 80, 45);
      await eventuallyIs(bob, 'small', small);
      await bob.eventuallySees(ada);
      await eventuallyIs(cleo, 'still large', large);
      await draws(bob, camera.width, camera.height);
      await eventuallyIs(bob, 'large again', large);
      await bob.eventuallySees(ada);
    }
    for (const viewer of [bob, cleo]) assert.deepEqual((await viewer.looksAt(ada)).garbage, [], viewer.name);
  });
}
