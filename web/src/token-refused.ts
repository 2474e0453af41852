/** The server does not accept the token: expired, deleted, or not one of its own. */
export class TokenRefused extends Error {}
