//! Who a request speaks for: an API key for an account and one of its apps, or a participant's token.
//! Invariant: a handler runs only for those whom the rule of its route lets in, and an app of another account does not exist.
//! The Cloudflare addresses and the older host (`/v2`) differ in what they take and how they refuse (`docs/api.md`).
//! Secrets are compared by hash, and never logged.
//! Next: `rules.rs`, which route has which rule; `door.rs`, which asks before any handler runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use salon_core::{AccountId, AppId, MeetingId, ParticipantId, Scope};
use salon_store::{Admission, ApiKey};

use crate::elsewhere::was_passed_on;
use crate::host_names;
use crate::keys::{Keys, digest};
use crate::rates::{LateRates, Rates};
use crate::rest::audited::Holder;
use crate::rest::error::ApiError;
use crate::rest::settings::Scraping;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_store::Store;

const AUTH_EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
pub const AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// What HTTP Basic is written in: some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Holders of an API key of the account in the address, about the app in the address.
    App,
    /// Holders of an API key of the account in the address.
    Account,
    /// Holders of an API key, about the app that HTTP Basic names: the older host.
    OldApp,
    /// Participants.
    Guest,
    /// Those of `OldApp`, and participants about their own meeting.
    OldAppOrGuest,
    /// Whoever measures the node.
    Scraper,
    /// Anybody: nothing is secret there, or the address is its own credential.
    Anyone,
}

/// A holder of an API key, asking about an app within its reach.
#[derive(Debug, Clone)]
pub struct Caller {
    pub app: AppId,
    pub account: AccountId,
    pub key: KeyHash,
    /// Its key may not only read.
    pub may_manage: bool,
}

/// What somebody came with: the hash of a key's secret, of which a key that is being rotated has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// A holder of an API key, asking about its account.
#[derive(Debug, Clone)]
pub struct Owner {
    pub account: AccountId,
    pub key: Arc<ApiKey>,
}

impl Owner {
    /// Refuses keys that are for one app only.
    pub fn of_all(&self) -> Result<(), ApiError> {
        self.key.reach.app.as_ref().map_or(Ok(()), |app| Err(only_for(app)))
    }
}

/// A participant whose token is good, with everything about them.
#[derive(Debug, Clone)]
pub struct Guest(pub Admission);

macro_rules! let_in_by_the_gate {
    ($($who:ty),*) => {$(
        impl<S: Send + Sync> FromRequestParts<S> for $who {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                // Somebody else was let in by the route's rule: to this handler, that is nobody.
                parts.extensions.remove::<Self>().ok_or_else(ApiError::unauthorized)
            }
        }
    )*};
}

let_in_by_the_gate!(Caller, Owner, Guest);

/// An account's program, or a participant, where both may ask.
#[derive(Debug, Clone)]
pub enum Asker {
    Key(Caller),
    Guest(Box<Guest>),
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(caller) = parts.extensions.remove::<Caller>() {
            return Ok(Self::Key(caller));
        }
        let guest = parts.extensions.remove::<Guest>().ok_or_else(ApiError::unauthorized)?;
        Ok(Self::Guest(Box::new(guest)))
    }
}

impl Asker {
    /// Whose app it is.
    pub fn app(&self) -> &AppId {
        match self {
            Self::Key(caller) => &caller.app,
            Self::Guest(guest) => &guest.0.meeting.app,
        }
    }

    /// Refuses participants of another meeting. What they may do in their own, its session says.
    pub fn may_act_in(&self, meeting: &MeetingId) -> Result<(), ApiError> {
        match self {
            Self::Guest(guest) if guest.0.meeting.id != *meeting => {
                Err(ApiError::not_allowed("The token is for another meeting"))
            }
            _ => Ok(()),
        }
    }
}

/// Knows who holds which credential, and how often it may be used.
pub struct Gate {
    pub keys: Keys,
    pub rates: Rates<AccountId>,
    pub guest_rates: LateRates<ParticipantId>,
    pub tokens: Tokens,
    pub store: Store,
    pub clock: Clock,
    /// An API token that everybody knows: taken from programs and from the page that is served here, and not from a page of
    /// another origin, which would administer this server for whoever made it.
    pub dev_token: Option<&'static str>,
    pub scraping: Scraping,
}

impl Gate {
    /// Lets a request in if it comes from somebody who may call such a route, which only `reads` or not. The handler is told
    /// who it is.
    pub async fn admit(&self, who: Who, reads: bool, parts: &mut Parts) -> Result<(), ApiError> {
        let needed = if reads { Scope::Read } else { scope_of(&parts.method) };
        match who {
            Who::Anyone => {}
            Who::Scraper if !self.scraping.here => return Err(ApiError::no_route()),
            Who::Scraper => self.scraping.admit(&parts.headers)?,
            Who::Account => {
                let (key, _) = self.account(parts).await?;
                parts.extensions.insert(Holder { key: key.clone(), app: None });
                allows(&key, needed)?;
                parts.extensions.insert(Owner { account: key.account.clone(), key });
            }
            Who::App => {
                let (key, shown) = self.account(parts).await?;
                let account = &key.account;
                let no_app = || no_app(account);
                let app = in_address(parts, "{app_id}").and_then(|app| AppId::parse(app).ok()).ok_or_else(no_app)?;
                if self.keys.account_of(&app).await?.as_ref() != Some(account) {
                    return Err(no_app());
                }
                parts.extensions.insert(Holder { key: key.clone(), app: Some(app.clone()) });
                covers(&key, &app)?;
                allows(&key, needed)?;
                let may_manage = key.reach.allows(Scope::Manage);
                parts.extensions.insert(Caller { app, account: account.clone(), key: shown, may_manage });
            }
            Who::OldAppOrGuest if bearer(&parts.headers).is_some() => {
                let guest = self.guest(parts).await?;
                if in_address(parts, "{meeting_id}").is_some_and(|id| !id.eq_ignore_ascii_case(guest.0.meeting.id.as_str())) {
                    return Err(ApiError::not_allowed("The token is for another meeting"));
                }
                parts.extensions.insert(guest);
            }
            Who::OldApp | Who::OldAppOrGuest => {
                let (key, shown, app) = self.basic(parts).await?;
                parts.extensions.insert(Holder { key: key.clone(), app: Some(app.clone()) });
                covers(&key, &app)?;
                allows(&key, needed)?;
                let may_manage = key.reach.allows(Scope::Manage);
                parts.extensions.insert(Caller { app, account: key.account.clone(), key: shown, may_manage });
            }
            Who::Guest => {
                let guest = self.guest(parts).await?;
                parts.extensions.insert(guest);
            }
        }
        Ok(())
    }

    /// The first valid credential of the account in the address.
    async fn account(&self, parts: &Parts) -> Result<(Arc<ApiKey>, KeyHash), ApiError> {
        let wanted = in_address(parts, "{account_id}").unwrap_or_default();
        let mut malformed = false;
        let mut text = |name: &HeaderName| {
            let value = parts.headers.get(name)?;
            let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
            malformed |= text.is_none();
            text
        };
        let (authorization, email, secret) = (text(&header::AUTHORIZATION), text(&AUTH_EMAIL), text(&AUTH_KEY));
        let bearer = authorization.and_then(|value| after_scheme(value, "bearer"));
        malformed |= authorization.is_some() && bearer.is_none();
        malformed |= email.is_some() != secret.is_some();

        for (secret, email) in [(bearer, None), (email.and(secret), email)] {
            let Some(secret) = secret else { continue };
            let key = self.key(secret, parts).await?;
            let fits = |(key, _): &(Arc<ApiKey>, KeyHash)| {
                key.account.as_str() == wanted && email.is_none_or(|email| belongs_to(key, email))
            };
            if let Some((key, shown)) = key.filter(fits) {
                self.limit(&key.account, parts)?;
                return Ok((key, shown));
            }
        }
        Err(if malformed { ApiError::bad_credential_headers() } else { ApiError::forbidden() })
    }

    /// The older host: user is the app, password the key.
    async fn basic(&self, parts: &Parts) -> Result<(Arc<ApiKey>, KeyHash, AppId), ApiError> {
        let encoded = authorization(&parts.headers, "basic").and_then(|encoded| BASE64.decode(encoded).ok());
        let decoded = encoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, secret) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(ApiError::unauthorized)?;
        let app = AppId::parse(user).map_err(|_| ApiError::unauthorized())?;
        let (key, shown) = self.key(secret, parts).await?.ok_or_else(ApiError::unauthorized)?;
        if self.keys.account_of(&app).await?.as_ref() != Some(&key.account) {
            return Err(ApiError::unauthorized());
        }
        self.limit(&key.account, parts)?;
        Ok((key, shown, app))
    }

    async fn guest(&self, parts: &Parts) -> Result<Guest, ApiError> {
        let token = bearer(&parts.headers).and_then(|token| self.tokens.verify(token, self.clock.now()));
        // A robot's is for the websocket alone.
        let token = token.filter(|token| token.recording.is_none()).ok_or_else(ApiError::unauthorized)?;
        // Also what comes by other nodes: who asks several may ask no more often than who asks one.
        self.guest_rates.take(&token.participant).await.map_err(too_often)?;
        let admission = self.store.admission(&token.participant).await?;
        // A deleted participant is not admitted however good the token is.
        let admission = admission.filter(|found| found.meeting.id == token.meeting && found.meeting.app == token.app);
        admission.map(Guest).ok_or_else(ApiError::unauthorized)
    }

    /// The key with this secret.
    async fn key(&self, secret: &str, parts: &Parts) -> Result<Option<(Arc<ApiKey>, KeyHash)>, ApiError> {
        if self.dev_token == Some(secret) && host_names::is_foreign_page(parts) {
            return Err(ApiError::not_allowed(
                "Everybody knows this token, so pages of other origins may not use it: call from a server",
            ));
        }
        let shown = KeyHash(digest(secret));
        Ok(self.keys.of_hash(shown.0, self.clock.now()).await?.map(|key| (key, shown)))
    }

    fn limit(&self, account: &AccountId, parts: &Parts) -> Result<(), ApiError> {
        if was_passed_on(parts) {
            // It counted at the node that it came to.
            return Ok(());
        }
        self.rates.take(account, Instant::now()).map_err(too_often)
    }
}

impl Scraping {
    /// Lets in whoever shows the token, if there is one.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(token) = &self.token else { return Ok(()) };
        // Compared by their hashes, so that the time it takes tells nothing.
        match bearer(headers).is_some_and(|shown| digest(shown) == digest(token)) {
            true => Ok(()),
            false => Err(ApiError::unauthorized()),
        }
    }
}

/// Whole seconds, rounded up: a caller who waits that long succeeds.
fn too_often(wait: Duration) -> ApiError {
    ApiError::too_many_requests(wait.as_secs() + 1)
}

/// What stands in the address where the matched route has this. Ids of accounts and apps need no escapes, so none are read.
fn in_address<'p>(parts: &'p Parts, place: &str) -> Option<&'p str> {
    let route = parts.extensions.get::<MatchedPath>()?.as_str();
    route.split('/').zip(parts.uri.path().split('/')).find(|(part, _)| *part == place).map(|(_, text)| text)
}

/// What a key must be able to do for a call of this method.
fn scope_of(method: &Method) -> Scope {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Scope::Read,
        _ => Scope::Manage,
    }
}

fn allows(key: &ApiKey, needed: Scope) -> Result<(), ApiError> {
    match key.reach.allows(needed) {
        true => Ok(()),
        false => Err(ApiError::not_allowed("This API key may only read; use one with the scope manage")),
    }
}

fn covers(key: &ApiKey, app: &AppId) -> Result<(), ApiError> {
    match &key.reach.app {
        Some(only) if !key.reach.covers(app) => Err(only_for(only)),
        _ => Ok(()),
    }
}

fn only_for(app: &AppId) -> ApiError {
    ApiError::not_allowed(format!("This API key is for the app {app} only"))
}

fn belongs_to(key: &ApiKey, email: &str) -> bool {
    key.email.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(email))
}

fn no_app(account: &AccountId) -> ApiError {
    ApiError::not_found(format!(
        "App not found. `salon app list --account {account}` shows the apps there are, `salon app create NAME --account \
         {account}` makes one, as does POST /client/v4/accounts/{account}/realtime/kit/apps"
    ))
}

/// The token of an `Authorization` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    authorization(headers, "bearer")
}

fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    after_scheme(headers.get(header::AUTHORIZATION)?.to_str().ok()?, scheme)
}

/// What follows the scheme of an `Authorization` header, if it is that scheme and something follows.
fn after_scheme<'h>(value: &'h str, scheme: &str) -> Option<&'h str> {
    let (named, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    (named.eq_ignore_ascii_case(scheme) && !rest.is_empty() && !rest.contains(' ')).then_some(rest)
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
            assert_eq!(BASE64.decode(text).ok().as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert!(BASE64.decode("a-b_").is_err());
        assert!(BASE64.decode("\u{e4}").is_err());
    }
}
