// Images and files in the chat: uploaded by one person's browser, read by another's, refused where they must be; and the
// chat of a meeting that keeps it.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { eventually, eventuallyEqual } from './support/eventually.mjs';
import { Stage } from './support/stage.mjs';

const MOST_BYTES = 200_000;

let stage;
before(async () => {
  stage = await Stage.open(import.meta.url, { 'files.file_bytes': MOST_BYTES });
});
afterEach(() => stage.clear());
after(() => stage?.close());

/** What a client shows of each message, but for its time. */
const chat = (person) =>
  person.asks((meeting) =>
    meeting.chat.messages.map(({ type, displayName, message, link, name, size, pinned, isEdited }) =>
      Object.fromEntries(Object.entries({ type, displayName, message, link, name, size, pinned, isEdited }).filter(([, it]) => it)),
    ),
  );

/** Fetches a link in somebody's page; answers with what it says of itself and the bytes. */
const fetches = (person, link) =>
  person.asks(async (_, url) => {
    const response = await fetch(url);
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, headers, bytes: [...new Uint8Array(await response.arrayBuffer())] };
  }, link);

/** Sends `bytes` bytes as a file. */
const sends = (person, file) =>
  person.asks(async (meeting, { how, name, type, bytes }) => {
    const content = Uint8Array.from({ length: bytes }, (_, at) => (at * 7) % 251);
    try {
      await meeting.chat[how](new File([content], name, { type }));
      return 'sent';
    } catch (error) {
      return String(error.code ?? error);
    }
  }, file);
const content = (bytes) => Array.from({ length: bytes }, (_, at) => (at * 7) % 251);

test('a file goes from one person to another, byte by byte', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  const bytes = 150_000;
  assert.equal(await sends(ada, { how: 'sendFileMessage', name: 'plän "1".pdf', type: 'application/pdf', bytes }), 'sent');
  let link;
  for (const person of [ada, bob]) {
    await eventually(`${person.name} is shown the file`, async () => {
      const [message] = await chat(person);
      link = message?.link;
      assert.deepEqual(message, { type: 'file', displayName: 'Ada', link, name: 'plän "1".pdf', size: bytes });
    });
  }
  const file = await fetches(bob, link);
  assert.equal(file.status, 200);
  assert.deepEqual(file.bytes, content(bytes));
  assert.equal(file.headers['content-type'], 'application/pdf');
  const { headers } = await fetch(link);
  assert.match(headers.get('content-disposition'), /^attachment; .*filename\*=UTF-8''pl%C3%A4n%20%221%22.pdf$/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.match(headers.get('content-security-policy'), /sandbox/);
});

test('an image is shown to the others, and can be replaced', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  /** A red, green or blue square as the browser draws it. */
  const draws = (person, how, colour, id) =>
    person.does(
      async (it, given) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
        const pen = canvas.getContext('2d');
        pen.fillStyle = given.colour;
        pen.fillRect(0, 0, 64, 48);
        const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
        const image = new File([blob], 'square.png', { type: 'image/png' });
        await (given.id ? it.chat[given.how](given.id, image) : it.chat[given.how](image));
      },
      { how, colour, id },
    );
  const looks = (person) =>
    person.asks(async (it) => {
      const image = new Image();
      image.crossOrigin = 'anonymous';
      image.src = it.chat.messages[0]?.link ?? '';
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return [image.naturalWidth, ...canvas.getContext('2d').getImageData(0, 0, 1, 1).data];
    });
  await draws(ada, 'sendImageMessage', '#ff0000');
  await eventuallyEqual('the image of Bob', () => looks(bob).catch(() => null), [64, 255, 0, 0, 255]);
  // Whoever sends may see it later than others do.
  await eventuallyEqual('how much Ada has said', async () => (await chat(ada)).length, 1);
  const id = await ada.asks((it) => it.chat.messages[0].id);
  await draws(ada, 'editImageMessage', '#0000ff', id);
  await eventuallyEqual('the image of Bob', () => looks(bob).catch(() => null), [64, 0, 0, 255, 255]);
  assert.equal((await chat(bob)).length, 1);
});

test('a custom message carries files of all kinds', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob] = await stage.gathers(meeting, 'Ada', 'Bob');
  await ada.eventuallyMeets(bob);
  await ada.does((it) => {
    const files = ['a.txt', 'b.txt'].map((name) => new File([name], name, { type: 'text/plain' }));
    return it.chat.sendCustomMessage({ message: 'two files', html: '<b>two</b>', files });
  });
  await eventually('Bob is shown both', async () => {
    const files = await bob.asks((it) => it.chat.messages[0]?.files);
    assert.deepEqual(files?.map(({ name }) => name), ['a.txt', 'b.txt']);
    const second = await fetches(bob, files[1].link);
    assert.equal(Buffer.from(second.bytes).toString(), 'b.txt');
  });
});

test('a private file is announced to one person', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await ada.eventuallyMeets(bob, cleo);
  await ada.does((it, id) => it.chat.sendFileMessage(new File(['for you'], 'secret.txt', { type: 'text/plain' }), [id]), bob.id);
  await eventually('Bob is shown the file', async () => assert.equal((await chat(bob))[0]?.name, 'secret.txt'));
  await ada.does((it) => it.chat.sendTextMessage('everybody'));
  await eventuallyEqual('the chat of Cleo', () => chat(cleo), [{ type: 'text', displayName: 'Ada', message: 'everybody' }]);
});

test('what is too large is refused, and the client says so', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  const large = { how: 'sendFileMessage', name: 'large.bin', type: 'application/octet-stream', bytes: MOST_BYTES + 1 };
  assert.equal(await sends(ada, large), '0500');
  assert.equal(await sends(ada, { ...large, name: 'fits.bin', bytes: MOST_BYTES }), 'sent');
  await eventuallyEqual('the chat of Ada', async () => (await chat(ada)).map(({ name }) => name), ['fits.bin']);
});

test('who may not send files is refused by the server', { timeout: 60_000 }, async () => {
  const preset = await stage.api.presetLike('group_call_participant', 'without files', ({ permissions }) => {
    permissions.chat.public.files = false;
    permissions.chat.private.files = false;
  });
  const meeting = await stage.api.createMeeting();
  const bob = await stage.invites('Bob', meeting, { preset });
  const asks = (person) =>
    fetch(`${stage.salon.origin}/v2/meetings/chat-upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${person.participant.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ roomUUID: meeting, filename: 'x.txt' }),
    });
  assert.equal((await asks(bob)).status, 404, 'not before joining');
  await bob.joins();
  assert.equal(await bob.asks((it) => it.self.permissions.chatPublic.files), false);
  const refused = await asks(bob);
  assert.equal(refused.status, 403);
  assert.equal((await refused.json()).error.message, 'the preset does not allow this');
  // His client keeps to its preset by itself; the others' may send.
  await sends(bob, { how: 'sendFileMessage', name: 'x.txt', type: 'text/plain', bytes: 10 });
  const [ada] = await stage.gathers(meeting, 'Ada');
  assert.equal((await asks(ada)).status, 200);
  assert.deepEqual(await chat(ada), []);
});

test('a meeting that keeps its chat goes on with it in the next session', { timeout: 90_000 }, async () => {
  const meeting = await stage.api.createMeeting({ persist_chat: true });
  const [ada, bob, cleo] = await stage.gathers(meeting, 'Ada', 'Bob', 'Cleo');
  await ada.eventuallyMeets(bob, cleo);
  await ada.does((it) => it.chat.sendTextMessage('remember this'));
  await ada.does((it, id) => it.chat.sendTextMessage('only you', [id]), bob.id);
  await sends(ada, { how: 'sendFileMessage', name: 'notes.txt', type: 'text/plain', bytes: 100 });
  await eventually('Bob has it all', async () => assert.equal((await chat(bob)).length, 3));
  await stage.api.kickAll(meeting);
  await bob.eventuallyIs('ended');

  const first = (await stage.api.sessions(meeting))[0].id;
  const [bobAgain, cleoAgain, adaAgain] = [await stage.opensAgain(bob), await stage.opensAgain(cleo), await stage.opensAgain(ada)];
  await cleoAgain.joins();
  await eventually('Cleo reads what was said to all', async () => {
    assert.deepEqual((await chat(cleoAgain)).map(({ message, name }) => message ?? name), ['remember this', 'notes.txt']);
  });
  await bobAgain.joins();
  await eventually('Bob reads what was said to him too', async () => {
    assert.deepEqual((await chat(bobAgain)).map(({ message, name }) => message ?? name), ['remember this', 'only you', 'notes.txt']);
  });
  assert.notEqual((await stage.api.activeSession(meeting)).id, first, 'it is another session');
  const file = await fetches(cleoAgain, (await chat(cleoAgain))[1].link);
  assert.deepEqual(file.bytes, content(100), 'the file is still there');

  // It is still Ada's.
  await adaAgain.joins();
  await eventually('Ada reads it', async () => assert.equal((await chat(adaAgain)).length, 3));
  await adaAgain.does((it) => it.chat.editTextMessage(it.chat.messages[0].id, 'remember that'));
  await eventually('Cleo reads the change', async () => assert.equal((await chat(cleoAgain))[0].message, 'remember that'));
  await adaAgain.does((it) => it.chat.deleteMessage(it.chat.messages[0].id));
  await eventually('and that it is gone', async () => assert.equal((await chat(cleoAgain)).length, 1));
  const found = await bobAgain.asks(async (it, userId) => {
    const page = { timestamp: Date.now(), limit: 10, direction: 'before' };
    const read = (messages) => messages.map(({ message, name }) => message || name);
    return {
      all: read(await it.chat.fetchPublicMessages(page)),
      private: read(await it.chat.fetchPrivateMessages({ ...page, userId })),
      pinned: read(await it.chat.fetchPinnedMessages(page)),
    };
  }, ada.participant.id);
  assert.deepEqual(found, { all: ['notes.txt'], private: ['only you'], pinned: [] });
});

test('a meeting that does not keep its chat begins with none', { timeout: 60_000 }, async () => {
  const meeting = await stage.api.createMeeting();
  const [ada] = await stage.gathers(meeting, 'Ada');
  await ada.does((it) => it.chat.sendTextMessage('forget this'));
  await eventually('it is said', async () => assert.equal((await chat(ada)).length, 1));
  await stage.api.kickAll(meeting);
  await ada.eventuallyIs('ended');
  const again = await stage.opensAgain(ada);
  await again.joins();
  await again.does((it) => it.chat.sendTextMessage('begin anew'));
  await eventuallyEqual('the chat', async () => (await chat(again)).map(({ message }) => message), ['begin anew']);
});
