//! Who a request speaks for: an API key for an account and one of its apps, or a participant's token.
//! Invariant: past here the app is one that the caller may use; an app of another account does not exist.
//! The Cloudflare addresses and the older host (`/v2`) differ in what they take and how they refuse (`docs/api.md`).
//! Secrets are compared by hash, and never logged.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use salon_core::{AccountId, AppId};
use salon_store::{Admission, ApiKey};

use crate::keys::Keys;
use crate::rest::error::ApiError;
use crate::rest::rate::Rates;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_store::Store;

const AUTH_EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// A holder of an API key, asking about an app.
#[derive(Debug, Clone)]
pub struct Caller {
    pub app: AppId,
}

/// A holder of an API key, asking about its account.
#[derive(Debug, Clone)]
pub struct Owner {
    pub account: AccountId,
}

/// A participant whose token is good, with everything about them.
#[derive(Debug)]
pub struct Guest(pub Admission);

/// Who holds which key, and how often it may be used.
#[derive(Clone)]
pub struct Gate(Arc<(Keys, Rates)>);

impl Gate {
    pub fn new(keys: Keys, rates: Rates) -> Self {
        Self(Arc::new((keys, rates)))
    }

    fn keys(&self) -> &Keys {
        &self.0.0
    }

    fn limit(&self, account: &AccountId) -> Result<(), ApiError> {
        self.0.1.take(account, Instant::now()).map_err(|wait| {
            // Whole seconds, rounded up: a caller who waits that long succeeds.
            ApiError::too_many_requests(wait.as_secs() + 1)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Gate: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let gate = Gate::from_ref(state);
        let params = match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => Some(params),
            Err(RawPathParamsRejection::MissingPathParams(_)) => None,
            Err(_) => return Err(ApiError::bad_request("the address is not valid UTF-8")),
        };
        let param = |wanted: &str| params.as_ref()?.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let (account, app) = match (param("account_id"), param("app_id")) {
            (Some(account), Some(app)) => (key_account(&parts.headers, &gate, account).await?, AppId::parse(app).ok()),
            _ => return basic(&parts.headers, &gate).await,
        };
        gate.limit(&account)?;
        let Some(app) = app else { return Err(no_app()) };
        match gate.keys().account_of(&app).await? {
            Some(owner) if owner == account => Ok(Self { app }),
            _ => Err(no_app()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Owner
where
    Gate: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let gate = Gate::from_ref(state);
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| ApiError::forbidden())?;
        let account = params.iter().find(|(name, _)| *name == "account_id").map_or("", |(_, value)| value);
        let account = key_account(&parts.headers, &gate, account).await?;
        gate.limit(&account)?;
        Ok(Self { account })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Guest
where
    Tokens: FromRef<S>,
    Store: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| after_scheme(value.to_str().ok()?, "bearer"));
        let bearer = token.and_then(|token| Tokens::from_ref(state).verify(token, Clock::from_ref(state).now()));
        let bearer = bearer.ok_or_else(ApiError::unauthorized)?;
        let admission = Store::from_ref(state).admission(&bearer.participant).await?;
        // A deleted participant is not admitted however good the token is.
        let admission = admission.filter(|found| found.meeting.id == bearer.meeting && found.meeting.app == bearer.app);
        admission.map(Self).ok_or_else(ApiError::unauthorized)
    }
}

/// The account of the first valid credential, if it is the one in the address.
async fn key_account(headers: &HeaderMap, gate: &Gate, account: &str) -> Result<AccountId, ApiError> {
    let mut malformed = false;
    let mut text = |name: &HeaderName| {
        let value = headers.get(name)?;
        let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
        malformed |= text.is_none();
        text
    };
    let (authorization, email, secret) = (text(&header::AUTHORIZATION), text(&AUTH_EMAIL), text(&AUTH_KEY));
    let bearer = authorization.and_then(|value| after_scheme(value, "bearer"));
    malformed |= authorization.is_some() && bearer.is_none();
    malformed |= email.is_some() != secret.is_some();

    if let Some(token) = bearer
        && let Some(key) = gate.keys().key(token).await?
        && key.account.as_str() == account
    {
        return Ok(key.account.clone());
    }
    if let (Some(email), Some(secret)) = (email, secret)
        && let Some(key) = gate.keys().key(secret).await?
        && key.account.as_str() == account
        && belongs_to(&key, email)
    {
        return Ok(key.account.clone());
    }
    Err(if malformed { ApiError::bad_credential_headers() } else { ApiError::forbidden() })
}

fn belongs_to(key: &Arc<ApiKey>, email: &str) -> bool {
    key.email.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(email))
}

/// The older host: user is the app, password the key.
async fn basic(headers: &HeaderMap, gate: &Gate) -> Result<Caller, ApiError> {
    let encoded = headers.get(header::AUTHORIZATION).and_then(|value| after_scheme(value.to_str().ok()?, "basic"));
    let decoded = encoded.and_then(|encoded| String::from_utf8(decode_base64(encoded)?).ok());
    let Some((user, secret)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
        return Err(ApiError::unauthorized());
    };
    let app = AppId::parse(user).map_err(|_| ApiError::unauthorized())?;
    let key = gate.keys().key(secret).await?.ok_or_else(ApiError::unauthorized)?;
    match gate.keys().account_of(&app).await? {
        Some(owner) if owner == key.account => {
            gate.limit(&key.account)?;
            Ok(Caller { app })
        }
        _ => Err(ApiError::unauthorized()),
    }
}

fn no_app() -> ApiError {
    ApiError::not_found("App not found")
}

/// What follows the scheme of an `Authorization` header, if it is that scheme and something follows.
fn after_scheme<'h>(value: &'h str, scheme: &str) -> Option<&'h str> {
    let (named, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    (named.eq_ignore_ascii_case(scheme) && !rest.is_empty() && !rest.contains(' ')).then_some(rest)
}

/// Standard base64, padded or not; `None` for anything else.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_read_in_any_case() {
        assert_eq!(after_scheme("Bearer x", "bearer"), Some("x"));
        assert_eq!(after_scheme("bearer  x ", "bearer"), Some("x"));
        for bad in ["Bearer", "Bearer ", "x", "Basic x", "Bearer a b", ""] {
            assert_eq!(after_scheme(bad, "bearer"), None, "{bad:?}");
        }
    }

    #[test]
    fn basic_credentials_are_base64() {
        for (text, bytes) in
            [("ZGV2OmRldi10b2tlbg==", "dev:dev-token"), ("ZGV2OmRldi10b2tlbg", "dev:dev-token"), ("", ""), ("YQ==", "a")]
        {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64("a-b_"), None);
        assert_eq!(decode_base64("ä"), None);
    }
}
