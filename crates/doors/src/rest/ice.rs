//! The STUN and TURN servers that clients are told of.
//! Invariant: where the TURN server shares a secret with us, nobody is told it, and what they are told expires.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use salon_core::Timestamp;
use salon_live::Clock;
use salon_wire::rest::internals as wire;
use salon_wire::rest::secret::Secret;

use crate::rest::auth::Guest;
use crate::rest::reply;
use crate::rest::settings::{Ice, IceLogin};

/// How long a password is good for: longer than any call, which is when a client asks again.
const GOOD_FOR_SECS: i64 = 24 * 60 * 60;

/// Those of the configuration. An empty list is an answer too: Salon itself needs none.
pub async fn servers(State(ice): State<Arc<Ice>>, State(clock): State<Clock>, Guest(guest): Guest) -> Response {
    let login = match &ice.login {
        IceLogin::None => None,
        IceLogin::Fixed { username, credential } => Some((username.clone(), credential.clone())),
        IceLogin::Shared(secret) => Some(expiring(secret, guest.participant.id.as_str(), clock.now())),
    };
    let (username, credential) = login.unzip();
    let url = ice.urls.first().cloned();
    let server = wire::IceServer { urls: ice.urls.clone(), url, username, credential: credential.map(Secret) };
    let ice_servers = if server.urls.is_empty() { Vec::new() } else { vec![server] };
    reply::json(StatusCode::OK, &wire::IceServers { success: true, ice_servers })
}

/// A user name and the password that a TURN server makes of it too (draft-uberti-behave-turn-rest-00, section 2.2).
fn expiring(secret: &str, user: &str, now: Timestamp) -> (String, String) {
    let username = format!("{}:{user}", now.0 / 1_000 + GOOD_FOR_SECS);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let password = BASE64_STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    (username, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_servers_make_the_same_password() {
        // printf %s 1700086400:ada | openssl dgst -sha1 -hmac north -binary | base64
        let made = expiring("north", "ada", Timestamp(1_700_000_000_999));
        assert_eq!(made, ("1700086400:ada".to_owned(), "Qw2wNnXeN+K01UaLeSEb7cOAs5c=".to_owned()));
    }
}
