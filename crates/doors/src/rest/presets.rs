//! Presets over REST: make, find, change.
//! Invariant: a stored body is one that `PresetBody` reads, of at most `MAX_BYTES`; `PATCH` merges, then reads it again.
//! Next: `flows/presets.rs`, what a stored preset means; `participants.rs`, which names presets.

use axum::extract::State;
use salon_core::PresetId;
use salon_store::acting;
use salon_store::{Error as StoreError, Preset, Rule, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::presets as wire;
use serde_json::Value;

use crate::flows::presets::{read as read_stored, stored};
use crate::ids::fresh_id;
use crate::rest::auth::Caller;
use crate::rest::body::{Body, JsonObject, read};
use crate::rest::check::{merge, name};
use crate::rest::edits::Edits;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rfc3339::rfc3339;
use salon_live::Clock;

/// The largest preset, as JSON. Every client gets its preset whole when it joins.
const MAX_BYTES: usize = 64 * 1024;

/// Longest name of a preset, in characters.
pub const MAX_NAME_CHARS: usize = 128;

/// The presets of an app, newest first.
#[utoipa::path(get, path = "/presets", tag = "presets", params(wire::PresetsQuery),
    responses((status = 200, body = Page<Vec<wire::PresetListItem>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(store): State<Store>, caller: Caller, asked: Asked) -> Listed<Vec<wire::PresetListItem>> {
    let wanted = asked.page()?;
    let found = store.presets(&caller.app, &wanted).await?;
    let items = found.items.into_iter().map(|preset| wire::PresetListItem {
        id: preset.id.to_string(),
        name: preset.name,
        created_at: rfc3339(preset.created_at),
        updated_at: rfc3339(preset.updated_at),
    });
    let items: Vec<_> = items.collect();
    let paging = paging(&wanted, items.len(), found.total);
    page(items, paging)
}

/// Makes a preset.
#[utoipa::path(post, path = "/presets", tag = "presets", request_body = wire::PresetBody,
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    caller: Caller,
    Body(body): Body<wire::PresetBody>,
) -> Answer<wire::Preset> {
    let body = checked(body)?;
    let preset = stored(&caller.app, fresh_id(), body, clock.now());
    acting::about("preset", preset.id.as_str());
    store.create_preset(&preset).await.map_err(|error| refused(error, &preset.id, &preset.name))?;
    data(to_wire(preset)?)
}

/// One preset, whole.
#[utoipa::path(get, path = "/presets/{preset_id}", tag = "presets",
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 404, body = ErrorBody)))]
pub async fn show(State(store): State<Store>, caller: Caller, At(id): At<PresetId>) -> Answer<wire::Preset> {
    data(to_wire(find(&store, &caller, &id).await?)?)
}

/// Changes what is sent, at any depth.
#[utoipa::path(patch, path = "/presets/{preset_id}", tag = "presets", request_body = wire::PresetPatch,
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn update(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(edits): State<Edits>,
    caller: Caller,
    At(id): At<PresetId>,
    JsonObject(patch): JsonObject,
) -> Answer<wire::Preset> {
    let _turn = edits.turn(id.as_str()).await;
    find(&store, &caller, &id).await?;
    let now = clock.now();
    let mut wanted = None;
    let change = |preset: Preset| {
        let mut whole = preset.body;
        whole["name"] = preset.name.into();
        merge(&mut whole, Value::Object(patch.clone()));
        let body: wire::PresetBody = read(&whole).map_err(Refused::Body)?;
        // A name of long ago stays as it is until another is sent.
        let body = if patch.contains_key("name") { checked(body) } else { check(&body).map(|()| body) };
        let body = body.map_err(Refused::Body)?;
        wanted = Some(body.name.clone());
        let changed = stored(&caller.app, id.clone(), body, now.max(preset.updated_at));
        Ok(Preset { created_at: preset.created_at, ..changed })
    };
    let edited = store.edit_preset(&caller.app, &id, change).await;
    data(to_wire(edited.map_err(|refused: Refused| refused.told(&id, wanted.as_deref().unwrap_or_default()))?)?)
}

/// Replaces a preset.
#[utoipa::path(put, path = "/presets/{preset_id}", tag = "presets", request_body = wire::PresetBody,
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn replace(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(edits): State<Edits>,
    caller: Caller,
    At(id): At<PresetId>,
    Body(body): Body<wire::PresetBody>,
) -> Answer<wire::Preset> {
    let body = checked(body)?;
    let _turn = edits.turn(id.as_str()).await;
    find(&store, &caller, &id).await?;
    let (name, now) = (body.name.clone(), clock.now());
    let change = |preset: Preset| {
        let changed = stored(&caller.app, id.clone(), body.clone(), now.max(preset.updated_at));
        Ok::<_, StoreError>(Preset { created_at: preset.created_at, ..changed })
    };
    let edited = store.edit_preset(&caller.app, &id, change).await;
    data(to_wire(edited.map_err(|error| refused(error, &id, &name))?)?)
}

/// Deletes a preset that no participant has, and answers with it.
#[utoipa::path(delete, path = "/presets/{preset_id}", tag = "presets",
    params(("preset_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Preset>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn delete(State(store): State<Store>, caller: Caller, At(id): At<PresetId>) -> Answer<wire::Preset> {
    let deleted = store.delete_preset(&caller.app, &id).await.map_err(|error| match error {
        StoreError::NotFound => unknown(&id),
        StoreError::Conflict(Rule::PresetInUse) => {
            ApiError::unprocessable(format!("Preset {id} is used by participants and cannot be deleted"))
        }
        other => other.into(),
    })?;
    data(to_wire(deleted)?)
}

async fn find(store: &Store, caller: &Caller, id: &PresetId) -> Result<Preset, ApiError> {
    store.preset(&caller.app, id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: &PresetId) -> ApiError {
    ApiError::not_found(format!("No preset found with id {id}"))
}

fn refused(error: StoreError, id: &PresetId, name: &str) -> ApiError {
    match error {
        StoreError::Conflict(Rule::PresetName) => ApiError::conflict(format!("A preset with name {name} already exists")),
        StoreError::NotFound => unknown(id),
        other => other.into(),
    }
}

/// Why a preset was not changed: what was sent, or what is stored.
enum Refused {
    Body(ApiError),
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Store(error)
    }
}

impl Refused {
    fn told(self, id: &PresetId, name: &str) -> ApiError {
        match self {
            Refused::Body(error) => error,
            Refused::Store(error) => refused(error, id, name),
        }
    }
}

/// The preset with its name as it is kept, checked.
pub fn checked(body: wire::PresetBody) -> Result<wire::PresetBody, ApiError> {
    let body = wire::PresetBody { name: name("name", &body.name, MAX_NAME_CHARS)?.to_owned(), ..body };
    check(&body).map(|()| body)
}

/// The bounds of all but the name that the types do not hold.
fn check(body: &wire::PresetBody) -> Result<(), ApiError> {
    if !(0.0..=30.0).contains(&body.config.media.video.frame_rate) {
        return Err(ApiError::invalid("config.media.video.frame_rate", "must be between 0 and 30"));
    }
    if !(0.0..=120.0).contains(&body.config.media.screenshare.frame_rate) {
        return Err(ApiError::invalid("config.media.screenshare.frame_rate", "must be between 0 and 120"));
    }
    let bytes = serde_json::to_vec(body).map_or(0, |json| json.len());
    if bytes > MAX_BYTES {
        return Err(ApiError::bad_request(format!("the preset must not be larger than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn to_wire(preset: Preset) -> Result<wire::Preset, ApiError> {
    let parts = read_stored(&preset)?;
    Ok(wire::Preset {
        id: preset.id.to_string(),
        name: preset.name,
        config: parts.config,
        permissions: parts.permissions,
        ui: parts.ui,
        created_at: rfc3339(preset.created_at),
        updated_at: rfc3339(preset.updated_at),
    })
}
