// The application that people's browsers open: a page of another origin than Salon's, as in real life, with an SDK
// from npm as it ships. `/` has the newest, `/NAME` an older one. Next: `page/person.js`.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { buildSync } from 'esbuild';

import { E2E } from './places.mjs';

/** What older clients are called here, and where they lie. */
export const OLDER = {
  '1.5.1': 'core-1.5.1/dist/browser.js',
  '1.2.0': 'core-1.2.0/dist/index.iife.js',
  'dyte-3.1.11': '@dytesdk/web-core/dist/index.iife.js',
};

/** Serves the page; answers with its address and how to close it. */
export async function openApplication() {
  const bundle = buildSync({ entryPoints: [join(E2E, 'page/person.js')], bundle: true, write: false, format: 'iife' });
  const files = {
    '/': ['text/html', readFileSync(join(E2E, 'page/index.html'))],
    '/person.js': ['text/javascript', bundle.outputFiles[0].contents],
    '/sdk.js': ['text/javascript', readFileSync(join(E2E, 'node_modules/@cloudflare/realtimekit/dist/browser.js'))],
  };
  for (const [name, path] of Object.entries(OLDER)) {
    const page = files['/'][1].toString().replace('/sdk.js', `/sdk-${name}.js`);
    files[`/${name}`] = ['text/html', page];
    files[`/sdk-${name}.js`] = ['text/javascript', readFileSync(join(E2E, 'node_modules', path))];
  }
  const server = createServer((request, response) => {
    const file = files[request.url];
    response.writeHead(file ? 200 : 404, { 'content-type': file?.[0] ?? 'text/plain' });
    response.end(file?.[1]);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
