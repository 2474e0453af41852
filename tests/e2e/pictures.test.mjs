// Cameras, microphones and screens that go off and on, and pictures that change their quality.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { DARES, eventually } from './support/eventually.mjs';
import { Stage, THREE_SIZES } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

const TOGGLES = 50;
/** After these nothing may grow any more. */
const WARM_UP = 10;
const MEGABYTE = 1024 * 1024;

test('a camera goes off and on fifty times, and comes back each time', { timeout: 150_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await bob.eventuallySeesAndHears(ada);

  let warm;
  const garbage = [];
  for (let round = 1; round <= TOGGLES; round++) {
    garbage.push(...(await bob.looksAt(ada)).garbage);
    await ada.does(({ self }) => self.disableVideo());
    await bob.eventuallyShows(ada, { camera: false });
    await bob.eventuallySeesNoPictureOf(ada);
    await ada.does(({ self }) => self.enableVideo());
    await eventually(`the picture comes back, round ${round}`, async () => {
      assert.equal((await bob.looksAt(ada))?.colour, ada.colour);
    });
    if (round === WARM_UP) warm = { memory: stage.salon.memory, ...(await descriptions(ada, bob)) };
  }
  await bob.eventuallySeesAndHears(ada);
  await ada.eventuallySeesAndHears(bob);

  assert.deepEqual(garbage, [], 'frames that were no clean picture');
  const end = { memory: stage.salon.memory, ...(await descriptions(ada, bob)) };
  assert.ok(end.lines <= warm.lines, `session descriptions grew from ${warm.lines} to ${end.lines} m-lines`);
  assert.ok(end.characters <= warm.characters + 200, `session descriptions grew from ${warm.characters} to ${end.characters} characters`);
  const grown = (end.memory - warm.memory) / MEGABYTE;
  assert.ok(grown < 4, `the server grew by ${grown.toFixed(1)} MB`);
});

async function descriptions(...people) {
  const all = await Promise.all(people.map((person) => person.asks(() => window.person.descriptions())));
  return { lines: Math.max(...all.map(({ lines }) => lines)), characters: Math.max(...all.map(({ characters }) => characters)) };
}

test('a muted microphone is silent for the others, and heard again afterwards', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await bob.eventuallySeesAndHears(ada);
  for (let round = 0; round < 3; round++) {
    await ada.does(({ self }) => self.disableAudio());
    await bob.eventuallyShows(ada, { microphone: false, camera: true });
    await bob.eventuallyHearsNothingOf(ada);
    await ada.does(({ self }) => self.enableAudio());
    await bob.eventuallyShows(ada, { microphone: true, camera: true });
    await bob.eventuallyHears(ada);
  }
});

test('who joins with everything off is seen and heard once they switch it on', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const bob = await stage.invites('Bob', meeting, { prepare: { defaults: { audio: false, video: false } } });
  await bob.joins();
  await ada.eventuallyMeets(bob);
  await ada.eventuallyShows(bob, { microphone: false, camera: false });
  await bob.eventuallySeesAndHears(ada);
  await bob.does(({ self }) => self.enableVideo());
  await bob.does(({ self }) => self.enableAudio());
  await ada.eventuallySeesAndHears(bob);
});

test('a screen is shared with its sound, twice, beside the camera', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await bob.eventuallySeesAndHears(ada);
  await ada.does(() => window.person.fakeScreen({ colour: 'magenta', tone: 1_500 }));
  for (let round = 0; round < 2; round++) {
    await ada.does(({ self }) => self.enableScreenShare());
    await bob.eventuallyShows(ada, { screen: true, camera: true });
    await bob.eventuallySees(ada, { source: 'screen', colour: 'magenta' });
    await bob.eventuallyHears(ada, { source: 'screen', tone: 1_500 });
    await bob.eventuallySeesAndHears(ada);
    await ada.does(({ self }) => self.disableScreenShare());
    await bob.eventuallyShows(ada, { screen: false, camera: true });
    await bob.eventuallySeesNoPictureOf(ada, 'screen');
  }
  await bob.eventuallySeesAndHears(ada);
});

test('who comes while a screen is shared sees it', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  await ada.does(() => window.person.fakeScreen({ colour: 'magenta', tone: 1_500 }));
  await ada.does(({ self }) => self.enableScreenShare());
  const [bob] = await stage.gathers(meeting, 'Bob');
  await bob.eventuallySees(ada, { source: 'screen', colour: 'magenta' });
  await bob.eventuallyHears(ada, { source: 'screen', tone: 1_500 });
  await bob.eventuallySeesAndHears(ada);
});

test('a picture drawn small comes small, and large again when it is drawn large', { timeout: 180_000 }, async () => {
  const preset = await stage.api.presetLike('group_call_host', 'simulcast_host', ({ config }) => {
    config.media.video = { quality: 'hd', frame_rate: 15, simulcast: true };
  });
  const meeting = await stage.api.createMeeting();
  const ada = await stage.invites('Ada', meeting, { preset, camera: THREE_SIZES });
  await ada.joins();
  const [bob] = await stage.gathers(meeting, 'Bob');
  const draws = (width, height) => bob.does((_, given) => window.person.resizes(...given), [ada.id, width, height]);
  const eventuallyIs = (wanted, test) =>
    eventually(`the picture is ${wanted}`, async () => {
      const picture = await bob.looksAt(ada);
      assert.ok(picture && test(picture.width), JSON.stringify(picture));
    }, DARES);

  await bob.eventuallySees(ada);
  await draws(1280, 720);
  await eventuallyIs('large', (width) => width >= 640);
  await draws(80, 45);
  await eventuallyIs('small', (width) => width <= 320);
  await bob.eventuallySees(ada);
  await draws(1280, 720);
  await eventuallyIs('large again', (width) => width >= 640);
  await bob.eventuallySees(ada);
  assert.deepEqual((await bob.looksAt(ada)).garbage, []);
});
