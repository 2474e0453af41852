//! Apps over REST: the walls between an account's meetings, presets and participants.
//! Next: `presets.rs`, what a new app begins with.

use std::sync::Arc;

use axum::extract::State;
use salon_core::AppId;
use salon_store::{App as Row, Error as StoreError, Rule};
use salon_wire::rest::apps as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};

use crate::app::App;
use crate::clock::rfc3339;
use crate::rest::auth::Owner;
use crate::rest::body::Body;
use crate::rest::check::text;
use crate::rest::error::ApiError;
use crate::rest::presets;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};

/// Longest name of an app, in characters.
const MAX_NAME_CHARS: usize = 128;

/// The apps of an account, newest first.
#[utoipa::path(get, path = "/apps", tag = "apps", params(wire::AppsQuery),
    responses((status = 200, body = Page<Vec<wire::App>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(app): State<Arc<App>>, owner: Owner, asked: Asked) -> Listed<Vec<wire::App>> {
    let wanted = asked.page(&app.config)?;
    let found = app.store.apps(&owner.account, &wanted).await?;
    let items: Vec<_> = found.items.into_iter().map(to_wire).collect();
    let paging = paging(&wanted, items.len(), found.total);
    page(items, paging)
}

/// Makes an app, with the default presets in it.
#[utoipa::path(post, path = "/apps", tag = "apps", request_body = wire::AppBody,
    responses((status = 200, body = Envelope<wire::AppCreated>), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create(State(app): State<Arc<App>>, owner: Owner, Body(body): Body<wire::AppBody>) -> Answer<wire::AppCreated> {
    text("name", &body.name, 1, MAX_NAME_CHARS)?;
    let now = app.clock.now();
    let id = AppId::parse(&uuid::Uuid::now_v7().to_string()).expect("a UUID is an id");
    let row = Row { id, account: owner.account, name: body.name, created_at: now };
    app.store.create_app(&row, &presets::defaults(&row.id, now)).await.map_err(|error| match error {
        StoreError::Conflict(Rule::AppName) => ApiError::conflict(format!("An app with name {} already exists", row.name)),
        other => other.into(),
    })?;
    data(wire::AppCreated { app: to_wire(row) })
}

fn to_wire(app: Row) -> wire::App {
    wire::App { id: app.id.to_string(), name: app.name, created_at: rfc3339(app.created_at) }
}
