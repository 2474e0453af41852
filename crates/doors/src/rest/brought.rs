//! What was made at another server of the same API, as rows of this one: judged by the rules of the calls that make such
//! things here, and told as they tell it.
//! Invariant: a row from here is one that the calls could have made, but for its id and its times.
//! Next: the crate `moving`, which brings things.

use salon_core::{AppId, PresetId, Timestamp};
use salon_store::{Meeting, Preset};
use salon_wire::rest::{meetings as wire, presets};
use serde_json::Value;

use crate::flows::presets::stored;
use crate::rest::body::read;
use crate::rest::check::{MAX_CUSTOM_ID_CHARS, text};
use crate::rest::error::ApiError;
pub use crate::rest::meetings::FIELDS as MEETING;
use crate::rest::meetings::{checked_title, filled, to_wire};
use crate::rest::participants::{checked_name, checked_picture};
use crate::rest::presets::checked;
use crate::rest::settings::KeepAlive;

/// Why something is refused, as callers of the API are told.
pub type Why = String;

/// A preset, if its body is one that `POST presets` takes.
///
/// # Errors
/// It is not. That a key is not known is said as `"PATH" is not allowed`.
pub fn preset(app: &AppId, id: PresetId, body: &Value, at: Timestamp) -> Result<Preset, Why> {
    let body: presets::PresetBody = read(body).map_err(why)?;
    Ok(stored(app, id, checked(body).map_err(why)?, at))
}

/// The meeting with everything that `POST meetings` takes from this body; a title that nobody may have is an error.
///
/// # Errors
/// It would be refused.
pub fn meeting(blank: Meeting, body: &Value, keep_alive: &KeepAlive) -> Result<Meeting, Why> {
    let body: wire::MeetingBody = read(body).map_err(why)?;
    filled(blank, body, keep_alive).map_err(why)
}

/// What is told of a meeting, as JSON: without the credentials in it.
///
/// # Errors
/// What is stored cannot be read.
pub fn told(meeting: &Meeting) -> Result<Value, Why> {
    let told = to_wire(meeting.clone()).map_err(why)?;
    serde_json::to_value(told).map_err(|error| error.to_string())
}

/// A title as meetings have it.
///
/// # Errors
/// Nobody may have it.
pub fn title(given: Option<String>) -> Result<Option<String>, Why> {
    checked_title(given).map_err(why)
}

/// A person's name as participants have it.
///
/// # Errors
/// Nobody may have it.
pub fn name(given: Option<String>) -> Result<Option<String>, Why> {
    checked_name(given).map_err(why)
}

/// The address of a portrait.
///
/// # Errors
/// It is none that browsers are sent to.
pub fn picture(given: Option<String>) -> Result<Option<String>, Why> {
    checked_picture(given).map_err(why)
}

/// Checks the caller's own id of a person.
///
/// # Errors
/// It is empty or too long.
pub fn custom_id(given: &str) -> Result<(), Why> {
    text("custom_participant_id", given, 1, MAX_CUSTOM_ID_CHARS).map_err(why)
}

#[allow(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn why(error: ApiError) -> Why {
    error.text().to_owned()
}
