//! API keys over REST: who may act for an account, how far, and until when. Salon's own, beside the contract.
//! Invariant: no key makes, changes or shows one that can do more than itself, and a secret is shown once.
//! Next: `salon_core::reach`, how keys are compared; `keys.rs`, how soon a change counts.

use axum::extract::State;
use salon_core::{ApiKeyId, AppId, Reach, Scope, Timestamp};
use salon_live::Clock;
use salon_store::acting;
use salon_store::{ApiKey, Error as StoreError, Store};
use salon_wire::rest::api_keys as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};

use crate::ids::fresh_id;
use crate::keys::{Keys, digest, fresh_secret};
use crate::rest::auth::Owner;
use crate::rest::body::Body;
use crate::rest::check::text;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::reply::{Answer, created, data};
use crate::rest::settings::FixedKey;
use crate::rfc3339::{parse_rfc3339, rfc3339};

/// Keys of one account.
const MAX_KEYS: u32 = 256;

/// Longest label and address, in characters.
const MAX_LABEL_CHARS: usize = 256;

/// How long a secret is good beside the one that took its place, in seconds, and at most.
const FORMER_FOR_SECS: u32 = 86_400;
const MAX_FORMER_FOR_SECS: u32 = 604_800;

/// The keys of an account, oldest first; a key for one app sees those for that app.
#[utoipa::path(get, path = "/api-keys", tag = "api-keys",
    responses((status = 200, body = Envelope<Vec<wire::ApiKey>>)))]
pub async fn list(State(store): State<Store>, State(clock): State<Clock>, owner: Owner) -> Answer<Vec<wire::ApiKey>> {
    let now = clock.now();
    let keys = store.api_keys(&owner.account).await?.into_iter().filter(|key| is_seen(&owner, key));
    data(keys.map(|key| to_wire(key, now)).collect())
}

/// One key.
#[utoipa::path(get, path = "/api-keys/{key_id}", tag = "api-keys", params(("key_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ApiKey>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(clock): State<Clock>,
    owner: Owner,
    At(id): At<ApiKeyId>,
) -> Answer<wire::ApiKey> {
    data(to_wire(find(&store, &owner, &id).await?, clock.now()))
}

/// Makes a key, which can do no more than the one that asks. Its secret is shown here only.
#[utoipa::path(post, path = "/api-keys", tag = "api-keys", request_body = wire::ApiKeyBody,
    responses((status = 201, body = Envelope<wire::ApiKeyMade>), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(keys): State<Keys>,
    owner: Owner,
    Body(body): Body<wire::ApiKeyBody>,
) -> Answer<wire::ApiKeyMade> {
    let now = clock.now();
    let label = body.label.unwrap_or_default();
    text("label", &label, 0, MAX_LABEL_CHARS)?;
    if let Some(email) = &body.email {
        text("email", email, 1, MAX_LABEL_CHARS)?;
    }
    let app = match body.app_id {
        Some(id) => {
            let app = AppId::parse(&id).ok();
            let ours = match &app {
                Some(app) => keys.account_of(app).await?.as_ref() == Some(&owner.account),
                None => false,
            };
            Some(app.filter(|_| ours).ok_or_else(|| ApiError::invalid("app_id", "is no app of this account"))?)
        }
        None => None,
    };
    let until = body.expires_at.map(|at| moment(&at, now)).transpose()?;
    let reach = Reach { scope: scope_from_wire(body.scope), app, until };
    contains(&owner, &reach)?;
    let secret = fresh_secret();
    let key = ApiKey {
        id: fresh_id(),
        hash: digest(&secret),
        account: owner.account,
        email: body.email,
        label,
        reach,
        created_at: now,
        used_at: None,
        former: None,
    };
    acting::about("key", key.id.as_str());
    if !store.create_api_key(&key, MAX_KEYS).await? {
        return Err(ApiError::unprocessable(format!("An account has at most {MAX_KEYS} API keys; revoke one first")));
    }
    created(wire::ApiKeyMade { key: to_wire(key, now), secret })
}

/// Changes what is sent, at once on this node and within seconds on others.
#[utoipa::path(patch, path = "/api-keys/{key_id}", tag = "api-keys", request_body = wire::ApiKeyPatch,
    params(("key_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ApiKey>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(keys): State<Keys>,
    State(fixed): State<FixedKey>,
    owner: Owner,
    At(id): At<ApiKeyId>,
    Body(patch): Body<wire::ApiKeyPatch>,
) -> Answer<wire::ApiKey> {
    let now = clock.now();
    find(&store, &owner, &id).await?;
    let change = |mut key: ApiKey| {
        may_change(&owner, &key, fixed)?;
        let before = key.reach.clone();
        if let Some(label) = &patch.label {
            text("label", label, 0, MAX_LABEL_CHARS)?;
            key.label.clone_from(label);
        }
        if let Some(scope) = patch.scope {
            key.reach.scope = scope_from_wire(scope);
        }
        if let Some(until) = &patch.expires_at {
            key.reach.until = until.as_deref().map(|at| moment(at, now)).transpose()?;
        }
        if key.reach != before {
            contains(&owner, &key.reach)?;
        }
        Ok::<_, ApiError>(key)
    };
    let changed = store.edit_api_key(&owner.account, &id, change).await?;
    keys.changed(&id);
    data(to_wire(changed, now))
}

/// Gives a key a new secret, which is shown here only. The one before goes on being good for a while.
#[utoipa::path(post, path = "/api-keys/{key_id}/rotate", tag = "api-keys", request_body = wire::ApiKeyRotateBody,
    params(("key_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::ApiKeyMade>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn rotate(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(keys): State<Keys>,
    State(fixed): State<FixedKey>,
    owner: Owner,
    At(id): At<ApiKeyId>,
    Body(body): Body<wire::ApiKeyRotateBody>,
) -> Answer<wire::ApiKeyMade> {
    let now = clock.now();
    let former_for = body.former_for_secs.unwrap_or(FORMER_FOR_SECS);
    if former_for > MAX_FORMER_FOR_SECS {
        return Err(ApiError::invalid("former_for_secs", format_args!("must be at most {MAX_FORMER_FOR_SECS}")));
    }
    find(&store, &owner, &id).await?;
    let secret = fresh_secret();
    let change = |key: ApiKey| {
        may_change(&owner, &key, fixed)?;
        // Whoever is shown the secret has the key.
        contains(&owner, &key.reach)?;
        let former = (former_for > 0).then(|| (key.hash, now.plus_ms(i64::from(former_for) * 1_000)));
        Ok::<_, ApiError>(ApiKey { hash: digest(&secret), former, ..key })
    };
    let changed = store.edit_api_key(&owner.account, &id, change).await?;
    keys.changed(&id);
    created(wire::ApiKeyMade { key: to_wire(changed, now), secret })
}

/// Revokes a key, at once on this node and within seconds on others, and answers with it.
#[utoipa::path(delete, path = "/api-keys/{key_id}", tag = "api-keys", params(("key_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ApiKey>), (status = 404, body = ErrorBody)))]
pub async fn delete(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(keys): State<Keys>,
    State(fixed): State<FixedKey>,
    owner: Owner,
    At(id): At<ApiKeyId>,
) -> Answer<wire::ApiKey> {
    let key = find(&store, &owner, &id).await?;
    may_change(&owner, &key, fixed)?;
    let key = store.delete_api_key(&owner.account, &id).await.map_err(|error| match error {
        StoreError::NotFound => unknown(&id),
        other => other.into(),
    })?;
    keys.changed(&id);
    data(to_wire(key, clock.now()))
}

async fn find(store: &Store, owner: &Owner, id: &ApiKeyId) -> Result<ApiKey, ApiError> {
    let keys = store.api_keys(&owner.account).await?;
    keys.into_iter().find(|key| key.id == *id && is_seen(owner, key)).ok_or_else(|| unknown(id))
}

fn unknown(id: &ApiKeyId) -> ApiError {
    ApiError::not_found(format!("No API key found with id {id}"))
}

fn is_seen(owner: &Owner, key: &ApiKey) -> bool {
    let own = &owner.key.reach.app;
    own.is_none() || *own == key.reach.app
}

fn may_change(owner: &Owner, key: &ApiKey, FixedKey(fixed): FixedKey) -> Result<(), ApiError> {
    if fixed == Some(key.hash) {
        return Err(ApiError::unprocessable("This key is part of salon dev, and stays as it is"));
    }
    match owner.key.reach.governs(&key.reach) {
        true => Ok(()),
        false => Err(ApiError::not_allowed("That API key may do more than the one that asks")),
    }
}

fn contains(owner: &Owner, reach: &Reach) -> Result<(), ApiError> {
    match owner.key.reach.contains(reach) {
        true => Ok(()),
        false => Err(ApiError::not_allowed(
            "An API key cannot be given more than the one that asks has: the same app, no wider scope, no later end",
        )),
    }
}

/// When a key is to end.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    let at = parse_rfc3339(text).ok_or_else(|| ApiError::invalid("expires_at", "must be in ISO 8601 date format"))?;
    if at <= now {
        return Err(ApiError::invalid("expires_at", "must be in the future"));
    }
    Ok(at)
}

fn scope_from_wire(scope: wire::ApiKeyScope) -> Scope {
    match scope {
        wire::ApiKeyScope::Read => Scope::Read,
        wire::ApiKeyScope::Manage => Scope::Manage,
    }
}

fn to_wire(key: ApiKey, now: Timestamp) -> wire::ApiKey {
    wire::ApiKey {
        id: key.id.to_string(),
        label: key.label,
        email: key.email,
        scope: match key.reach.scope {
            Scope::Read => wire::ApiKeyScope::Read,
            Scope::Manage => wire::ApiKeyScope::Manage,
        },
        app_id: key.reach.app.map(|app| app.to_string()),
        created_at: rfc3339(key.created_at),
        expires_at: key.reach.until.map(rfc3339),
        last_used_at: key.used_at.map(rfc3339),
        former_until: key.former.map(|(_, until)| until).filter(|until| *until > now).map(rfc3339),
    }
}
