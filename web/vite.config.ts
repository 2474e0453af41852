import { defineConfig, loadEnv } from 'vite';

/** Every path the page and the SDK ask Salon for. */
const SERVER_PATHS = ['/page', '/accounts', '/v2', '/iceservers', '/otel', '/api/v1', '/location'];

export default defineConfig(({ mode }) => {
  // Where a running `salon dev` listens; only `npm run dev` asks.
  const salon = loadEnv(mode, '.', 'SALON_').SALON_URL ?? 'http://localhost:8080';
  return {
    base: '/',
    build: {
      target: 'es2022',
      assetsDir: 'assets',
      // The licences of everything that ends up in the bundle travel with it.
      license: { fileName: 'licenses.md' },
      // The official kit is one lazy chunk of 1.5 MB, as its authors ship it.
      chunkSizeWarningLimit: 2000,
    },
    server: {
      proxy: {
        ...Object.fromEntries(SERVER_PATHS.map((path) => [path, { target: salon }])),
        '/ws': { target: salon, ws: true },
      },
    },
  };
});
