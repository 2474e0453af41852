// The meeting page that Salon serves: one click to start, a link to join, and the live session beside the call.
// Nothing it does may reach another host.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';

import { eventually } from './support/eventually.mjs';
import { OUT } from './support/places.mjs';
import { Stage } from './support/stage.mjs';

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url);
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** Somebody in front of the page, with a record of every host their browser talked to. */
async function visitor(name, viewport = { width: 1280, height: 800 }) {
  const context = await stage.context(name, { viewport });
  const page = await context.newPage();
  const hosts = new Set();
  const add = (address) => {
    const { protocol, host } = new URL(address);
    if (/^(http|ws)s?:$/.test(protocol)) hosts.add(host);
  };
  page.on('request', (request) => add(request.url()));
  page.on('websocket', (socket) => add(socket.url()));
  return { page, hosts, name };
}

/** Through the kit's setup screen. */
async function entersCall({ page }) {
  const enter = page.locator('rtk-setup-screen').getByRole('button', { name: 'Join' });
  await enter.click();
  await page.locator('rtk-controlbar').first().waitFor();
}

/** A figure of the live panel, which is closed until somebody wants it. */
async function inPanel({ page }, figure) {
  const panel = page.getByRole('complementary', { name: 'Right now' });
  if (!(await panel.isVisible())) await page.getByRole('button', { name: 'Details' }).click();
  return panel.locator('.figures div', { hasText: figure }).locator('dd').textContent();
}

async function eventuallyInPanel(who, figure, wanted) {
  await eventually(`${who.name}'s panel says ${wanted} for ${figure}`, async () => {
    assert.equal(await inPanel(who, figure), wanted);
  });
}

/** The videos of others on the page that have a picture. */
function videos({ page }) {
  return page.locator('rtk-participant-tile video').evaluateAll((all) => all.filter((video) => video.videoWidth > 0).length);
}

test('one click starts a meeting, its link brings others in, and hosts remove and end', { timeout: 120_000 }, async () => {
  const ada = await visitor('Ada');
  const bob = await visitor('Bob');

  await ada.page.goto(stage.salon.origin);
  await ada.page.getByLabel('name').fill('Ada');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).click();
  await ada.page.locator('rtk-setup-screen').waitFor();
  await ada.page.screenshot({ path: join(OUT, 'page-setup.png') });
  await entersCall(ada);
  await eventuallyInPanel(ada, 'In the meeting', '1');

  await bob.page.goto(ada.page.url());
  await bob.page.getByLabel('name').fill('Bob');
  await bob.page.getByRole('button', { name: 'Join the meeting' }).click();
  await entersCall(bob);
  await eventuallyInPanel(ada, 'In the meeting', '2');
  await eventuallyInPanel(bob, 'Most at once', '2');
  for (const who of [ada, bob]) {
    await eventually(`${who.name} has both pictures`, async () => assert.equal(await videos(who), 2));
  }
  await ada.page.screenshot({ path: join(OUT, 'page-call.png') });

  const meeting = new URL(ada.page.url()).searchParams.get('meeting');
  const session = await stage.api.activeSession(meeting);
  assert.equal(session.live_participants, 2);
  const { participants } = await stage.api.kick(meeting, { participant_ids: await peopleNamed(session.id, 'Bob') });
  assert.equal(participants.length, 1);
  await bob.page.getByRole('heading', { name: 'You were removed' }).waitFor();
  await eventuallyInPanel(ada, 'In the meeting', '1');

  await bob.page.getByRole('button', { name: 'Join again' }).click();
  await entersCall(bob);
  await eventuallyInPanel(ada, 'In the meeting', '2');
  await stage.api.kickAll(meeting);
  for (const { page } of [ada, bob]) await page.getByRole('heading', { name: 'The meeting has ended' }).waitFor();
  await ada.page.screenshot({ path: join(OUT, 'page-ended.png') });

  const { host } = new URL(stage.salon.origin);
  for (const { name, hosts } of [ada, bob]) assert.deepEqual([...hosts], [host], `${name}'s browser went elsewhere`);
});

test('a call on the page survives kill -9 of the server', { timeout: 90_000 }, async () => {
  const ada = await visitor('Ada');
  await ada.page.goto(stage.salon.origin);
  await ada.page.getByLabel('name').fill('Ada');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).click();
  await entersCall(ada);
  await eventuallyInPanel(ada, 'In the meeting', '1');
  const meeting = new URL(ada.page.url()).searchParams.get('meeting');
  const { id } = await stage.api.activeSession(meeting);

  await stage.salon.kill();
  await stage.salon.startAgain();
  const watch = stage.watches(meeting);
  const session = await watch.eventuallyCounts(1, { within: 30_000 });
  assert.equal(session.id, id);
  await eventuallyInPanel(ada, 'In the meeting', '1');
  const [bob] = await stage.gathers(meeting, 'Bob');
  await eventually('Bob sees Ada, who was in before', async () => {
    const [other] = Object.values(await bob.others());
    const picture = await bob.looksAt(other);
    assert.equal(picture?.colour, 'red');
  }, { within: 20_000 });
  assert.ok(await ada.page.locator('rtk-controlbar').first().isVisible(), 'the page says goodbye too early');
});

test('the chat panel sends text, an image and a file, and shows them to both', { timeout: 90_000 }, async () => {
  // Wide enough for the kit to show its panels beside the pictures.
  const wide = { width: 1680, height: 900 };
  const ada = await visitor('Ada', wide);
  const bob = await visitor('Bob', wide);
  await ada.page.goto(stage.salon.origin);
  await ada.page.getByLabel('name').fill('Ada');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).click();
  await entersCall(ada);
  await bob.page.goto(ada.page.url());
  await bob.page.getByLabel('name').fill('Bob');
  await bob.page.getByRole('button', { name: 'Join the meeting' }).click();
  await entersCall(bob);
  for (const { page } of [ada, bob]) await page.locator('rtk-chat-toggle').first().click();

  const refusals = [];
  for (const { page } of [ada, bob]) page.on('console', (line) => /Content.Security.Policy/i.test(line.text()) && refusals.push(line.text()));
  const composer = ada.page.locator('rtk-chat-composer-view');
  await composer.locator('textarea').fill('Here is the plan');
  await composer.locator('textarea').press('Enter');
  // What the kit has not cleared yet it would send once more with the image.
  await eventually('the text is sent', async () => assert.equal(await composer.locator('textarea').inputValue(), ''));
  await attaches(ada, 'Send an image', { name: 'plan.png', mimeType: 'image/png', buffer: await picture(ada) });
  await attaches(ada, 'Send a file', { name: 'minutes.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4 not really') });

  for (const { page, name } of [ada, bob]) {
    await page.getByText('Here is the plan', { exact: true }).waitFor();
    await page.locator('rtk-file-message-view', { hasText: 'minutes.pdf' }).waitFor({ state: 'attached' });
    await eventually(`${name} sees the image`, async () => {
      const widths = await page.locator('rtk-image-message-view img').evaluateAll((all) => all.map((image) => image.naturalWidth));
      assert.deepEqual(widths, [320]);
    });
  }
  await bob.page.screenshot({ path: join(OUT, 'page-chat.png') });

  const [download] = await Promise.all([
    bob.page.waitForEvent('download'),
    bob.page.locator('rtk-file-message-view rtk-button').click(),
  ]);
  assert.equal(download.suggestedFilename(), 'minutes.pdf');
  const chunks = await (await download.createReadStream()).toArray();
  assert.equal(Buffer.concat(chunks).toString(), '%PDF-1.4 not really');
  assert.deepEqual(refusals, []);
});

test('what is said while the chat panel opens is read once', { timeout: 60_000 }, async () => {
  const ada = await visitor('Ada');
  await ada.page.goto(stage.salon.origin);
  await ada.page.getByLabel('name').fill('Ada');
  await ada.page.getByRole('button', { name: 'Start a meeting' }).click();
  await entersCall(ada);
  // The panel listens, and asks for what was said so far a moment later: this is said in between.
  await ada.page.evaluate(() => {
    const { chat } = document.querySelector('rtk-meeting').meeting;
    const listens = chat.addListener;
    chat.addListener = function (...args) {
      const chained = listens.apply(this, args);
      if (args[0] === 'chatUpdate') {
        chat.addListener = listens;
        void chat.sendTextMessage('Just now');
      }
      return chained;
    };
  });
  await ada.page.locator('rtk-chat-toggle').first().click();
  const said = () => ada.page.locator('rtk-chat rtk-text-message-view').evaluateAll((all) => all.map(({ text }) => text));
  await eventually('it is read', async () => assert.ok((await said()).includes('Just now')));
  await ada.page.locator('rtk-chat textarea').fill('And later');
  await ada.page.locator('rtk-chat textarea').press('Enter');
  await eventually('what follows is read', async () => assert.ok((await said()).includes('And later')));
  assert.deepEqual(await said(), ['Just now', 'And later']);
});

/** With the panel's buttons for attachments. */
async function attaches({ page }, what, file) {
  const chosen = page.waitForEvent('filechooser');
  const composer = page.locator('rtk-chat-composer-view');
  await composer.getByTitle(what).first().click();
  await (await chosen).setFiles(file);
  await composer.locator('rtk-draft-attachment-view').waitFor({ state: 'attached' });
  await composer.getByTitle('Send message').first().click();
  await composer.locator('rtk-draft-attachment-view').waitFor({ state: 'detached' });
}

/** A picture as a browser draws it. */
async function picture({ page }) {
  const base64 = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 200 });
    const pen = canvas.getContext('2d');
    pen.fillStyle = 'seagreen';
    pen.fillRect(0, 0, 320, 200);
    pen.fillStyle = 'gold';
    pen.fillRect(110, 50, 100, 100);
    return canvas.toDataURL('image/png').split(',')[1];
  });
  return Buffer.from(base64, 'base64');
}

async function peopleNamed(session, name) {
  const people = await stage.api.sessionParticipants(session);
  return people.filter((person) => person.display_name === name).map((person) => person.user_id);
}
