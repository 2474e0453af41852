//! Webhooks over REST: who is told what happens in an app, and where.
//! Invariant: an address that leads into a private network is refused here, and again whenever it is used.
//! Next: `webhook_past.rs`, what they were told; `docs/webhooks.md`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use salon_core::{AppId, WebhookId};
use salon_live::Clock;
use salon_store::acting;
use salon_store::{Error as StoreError, Store, Webhook};
use salon_webhooks::{Guard, Webhooks};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::webhooks as wire;

use crate::ids::fresh_id;
use crate::rest::auth::Caller;
use crate::rest::body::Body;
use crate::rest::check::{MAX_URL_CHARS, text};
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::reply::{Answer, created, data, json};
use crate::rfc3339::rfc3339;

/// Webhooks of one app. Each may hold eight tries at once.
const MAX_WEBHOOKS: u32 = 32;

/// Longest name of a webhook, in characters.
const MAX_NAME_CHARS: usize = 256;

/// The webhooks of an app, newest first.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks",
    responses((status = 200, body = Envelope<Vec<wire::Webhook>>)))]
pub async fn list(State(store): State<Store>, caller: Caller) -> Answer<Vec<wire::Webhook>> {
    data(store.webhooks(&caller.app).await?.into_iter().map(to_wire).collect())
}

/// Makes a webhook.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", request_body = wire::WebhookBody,
    responses((status = 201, body = Envelope<wire::Webhook>), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(webhooks): State<Webhooks>,
    caller: Caller,
    Body(body): Body<wire::WebhookBody>,
) -> Answer<wire::Webhook> {
    let now = clock.now();
    let blank = Webhook {
        id: fresh_id(),
        app: caller.app,
        name: String::new(),
        url: String::new(),
        events: Vec::new(),
        enabled: true,
        secret: None,
        created_at: now,
        updated_at: now,
    };
    let webhook = changed(blank, whole(body), &webhooks.guard)?;
    // The first one ever makes the key, which takes a while; the first event is not to wait for that.
    key(&webhooks).await?;
    acting::about("webhook", webhook.id.as_str());
    if !store.create_webhook(&webhook, MAX_WEBHOOKS).await? {
        return Err(ApiError::unprocessable(format!("An app has at most {MAX_WEBHOOKS} webhooks; delete one first")));
    }
    created(to_wire(webhook))
}

/// One webhook.
#[utoipa::path(get, path = "/webhooks/{webhook_id}", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Webhook>), (status = 404, body = ErrorBody)))]
pub async fn show(State(store): State<Store>, caller: Caller, At(id): At<WebhookId>) -> Answer<wire::Webhook> {
    data(to_wire(find(&store, &caller.app, &id).await?))
}

/// Changes what is sent.
#[utoipa::path(patch, path = "/webhooks/{webhook_id}", tag = "webhooks", request_body = wire::WebhookPatch,
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Webhook>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(webhooks): State<Webhooks>,
    caller: Caller,
    At(id): At<WebhookId>,
    Body(patch): Body<wire::WebhookPatch>,
) -> Answer<wire::Webhook> {
    put(&store, &clock, &webhooks, (&caller.app, &id), patch).await
}

/// Replaces a webhook.
#[utoipa::path(put, path = "/webhooks/{webhook_id}", tag = "webhooks", request_body = wire::WebhookBody,
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Webhook>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn replace(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(webhooks): State<Webhooks>,
    caller: Caller,
    At(id): At<WebhookId>,
    Body(body): Body<wire::WebhookBody>,
) -> Answer<wire::Webhook> {
    put(&store, &clock, &webhooks, (&caller.app, &id), whole(body)).await
}

/// Deletes a webhook with all it was told and was to be told, and answers with it.
#[utoipa::path(delete, path = "/webhooks/{webhook_id}", tag = "webhooks",
    params(("webhook_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Webhook>), (status = 404, body = ErrorBody)))]
pub async fn delete(State(store): State<Store>, caller: Caller, At(id): At<WebhookId>) -> Answer<wire::Webhook> {
    data(to_wire(store.delete_webhook(&caller.app, &id).await.map_err(|error| refused(error, &id))?))
}

/// What webhooks can be told of.
#[utoipa::path(get, path = "/webhooks/all", tag = "webhooks",
    responses((status = 200, body = Envelope<Vec<wire::WebhookEvent>>)))]
pub async fn events(_caller: Caller) -> Answer<Vec<wire::WebhookEvent>> {
    data(wire::WebhookEvent::ALL.to_vec())
}

/// What the signatures of webhooks are checked with. Needs no credential.
#[utoipa::path(get, path = "/.well-known/webhooks.json", tag = "webhooks",
    responses((status = 200, body = wire::WebhookKeyAnswer)))]
pub async fn public_key(State(webhooks): State<Webhooks>) -> Result<Response, ApiError> {
    let public_key = key(&webhooks).await?;
    let answer = wire::WebhookKeyAnswer { success: true, data: wire::WebhookKey { public_key }, message: String::new() };
    Ok(json(StatusCode::OK, &answer))
}

async fn key(webhooks: &Webhooks) -> Result<String, ApiError> {
    let unavailable = || ApiError::unavailable("The key of webhooks cannot be read right now; try again");
    webhooks.key.public().await.map_err(|error| unavailable().because(format_args!("{error:#}")))
}

/// A body that says everything.
fn whole(body: wire::WebhookBody) -> wire::WebhookPatch {
    let wire::WebhookBody { name, url, events, enabled } = body;
    wire::WebhookPatch { name: Some(name), url: Some(url), events: Some(events), enabled: Some(enabled.unwrap_or(true)) }
}

async fn put(
    store: &Store,
    clock: &Clock,
    webhooks: &Webhooks,
    (app, id): (&AppId, &WebhookId),
    patch: wire::WebhookPatch,
) -> Answer<wire::Webhook> {
    let now = clock.now();
    let change = |webhook: Webhook| {
        let updated_at = now.max(webhook.updated_at);
        changed(Webhook { updated_at, ..webhook }, patch.clone(), &webhooks.guard)
    };
    find(store, app, id).await?;
    data(to_wire(store.edit_webhook(app, id, change).await?))
}

/// The webhook with what is sent changed.
fn changed(mut webhook: Webhook, patch: wire::WebhookPatch, guard: &Guard) -> Result<Webhook, ApiError> {
    if let Some(name) = patch.name {
        text("name", &name, 1, MAX_NAME_CHARS)?;
        webhook.name = name;
    }
    if let Some(url) = patch.url {
        text("url", &url, 1, MAX_URL_CHARS)?;
        guard.judge(&url).map_err(|refused| ApiError::invalid("url", refused))?;
        webhook.url = url;
    }
    if let Some(events) = patch.events {
        if events.is_empty() {
            return Err(ApiError::invalid("events", "is not allowed to be empty"));
        }
        // Each once, in the order in which the API names them.
        let wanted = wire::WebhookEvent::ALL.into_iter().filter(|event| events.contains(event));
        webhook.events = wanted.map(|event| event.name().to_owned()).collect();
    }
    webhook.enabled = patch.enabled.unwrap_or(webhook.enabled);
    Ok(webhook)
}

pub async fn find(store: &Store, app: &AppId, id: &WebhookId) -> Result<Webhook, ApiError> {
    store.webhook(app, id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: &WebhookId) -> ApiError {
    ApiError::not_found(format!("No webhook found with id {id}"))
}

fn refused(error: StoreError, id: &WebhookId) -> ApiError {
    match error {
        StoreError::NotFound => unknown(id),
        other => other.into(),
    }
}

pub fn to_wire(webhook: Webhook) -> wire::Webhook {
    let events = wire::WebhookEvent::ALL.into_iter().filter(|event| webhook.events.iter().any(|name| name == event.name()));
    wire::Webhook {
        id: webhook.id.to_string(),
        name: webhook.name,
        url: webhook.url,
        events: events.collect(),
        enabled: webhook.enabled,
        created_at: rfc3339(webhook.created_at),
        updated_at: rfc3339(webhook.updated_at),
    }
}
