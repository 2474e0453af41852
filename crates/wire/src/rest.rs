//! JSON bodies of the REST API, a file per resource: what callers send, what they get, how they may ask.
//! Sources: the official SDKs (Python 5.9.0, TypeScript 7.3.0) and the published API reference.
//! Times are ISO 8601 text in UTC with milliseconds, `2022-01-12T14:21:34.388Z`; minutes and seconds are numbers.
//! An optional field is left out when absent; where the contract allows null, the field's docs say so.
//! Bounds and defaults stand in the schemas; checking them is the server's part.

pub mod active_session;
pub mod ai_config;
pub mod analytics;
pub mod api_keys;
pub mod apps;
pub mod audit_log;
pub mod between;
pub mod default_presets;
pub mod entrances;
pub mod envelope;
pub mod erasures;
pub mod internals;
pub mod live_sessions;
pub mod livestreams;
pub mod meetings;
pub mod nodes;
pub mod number;
pub mod participants;
pub mod peer_quality;
pub mod peers;
pub mod people;
pub mod presets;
pub mod quality;
pub mod recording_config;
pub mod recordings;
pub mod secret;
pub mod sessions;
pub mod stream_tickets;
pub mod timeline;
pub mod webhooks;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The direction of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SortOrder {
    Asc,
    Desc,
}

/// Tells null from absent: `Some(None)` is a null that was sent; absence never gets here, `default` fills it.
fn nullable<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
