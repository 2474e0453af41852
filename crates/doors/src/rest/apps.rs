//! Apps over REST: the walls between an account's meetings, presets and participants.
//! Next: `flows/new_app.rs`, what an app begins with.

use axum::extract::State;
use salon_store::{App as Row, Error as StoreError, Rule, Store};
use salon_wire::rest::apps as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};

use crate::flows::new_app::{MAX_NAME_CHARS, new_app};
use crate::rest::auth::Owner;
use crate::rest::body::Body;
use crate::rest::check::name;
use crate::rest::error::ApiError;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rfc3339::rfc3339;
use salon_live::Clock;

/// The apps of an account, newest first.
#[utoipa::path(get, path = "/apps", tag = "apps", params(wire::AppsQuery),
    responses((status = 200, body = Page<Vec<wire::App>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(store): State<Store>, owner: Owner, asked: Asked) -> Listed<Vec<wire::App>> {
    let wanted = asked.page()?;
    let found = store.apps(&owner.account, owner.key.reach.app.as_ref(), &wanted).await?;
    let items: Vec<_> = found.items.into_iter().map(to_wire).collect();
    let paging = paging(&wanted, items.len(), found.total);
    page(items, paging)
}

/// Makes an app, with the default presets in it.
#[utoipa::path(post, path = "/apps", tag = "apps", request_body = wire::AppBody,
    responses((status = 200, body = Envelope<wire::AppCreated>), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    owner: Owner,
    Body(body): Body<wire::AppBody>,
) -> Answer<wire::AppCreated> {
    owner.of_all()?;
    let name = name("name", &body.name, MAX_NAME_CHARS)?;
    let made = new_app(&store, owner.account, name.to_owned(), clock.now()).await.map_err(|error| match error {
        StoreError::Conflict(Rule::AppName) => ApiError::conflict(format!("An app with name {name} already exists")),
        other => other.into(),
    })?;
    data(wire::AppCreated { app: to_wire(made) })
}

fn to_wire(app: Row) -> wire::App {
    wire::App { id: app.id.to_string(), name: app.name, created_at: rfc3339(app.created_at) }
}
