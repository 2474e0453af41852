//! The files of recordings, for whoever has a link.
//! Invariant: a link is good for the one file that it names, until its time is over or the file is deleted.
//! Next: `recording_links.rs`, which makes them.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use salon_core::RecordingId;
use salon_core::event::RecordingKind;
use salon_files::Files;
use salon_live::Clock;
use salon_recordings::folder_of;
use salon_store::Store;

use crate::recording_links;
use crate::rest::documents::gone;
use crate::rest::error::ApiError;
use crate::rest::handing_out::{About, hand_out};
use crate::rest::path::Named;
use crate::rest::query::Asked;
use crate::tokens::Tokens;

/// Hands one out, or a part of it.
pub async fn download(
    State(store): State<Store>,
    State(files): State<Files>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    Named((id, name)): Named<(String, String)>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = RecordingId::parse(&id).map_err(|_| gone())?;
    let expires: i64 = asked.text("expires")?.and_then(|text| text.parse().ok()).ok_or_else(gone)?;
    let signature = asked.text("signature")?.unwrap_or_default();
    let now = clock.now();
    if (expires != 0 && expires <= now.0) || !recording_links::verify(&tokens, &id, &name, expires, signature) {
        return Err(gone());
    }
    let recording = store.recording(&id).await?.ok_or_else(gone)?;
    let file = recording.downloads(now).iter().find(|file| file.name == name).ok_or_else(gone)?;
    let left_secs = recording.expires_at.map_or(86_400, |at| at.since(now) / 1_000);
    let about = About {
        object: &format!("{}/{name}", folder_of(&id)),
        name: &name,
        kind: content_type(&name, recording.kind),
        size: file.bytes,
        age_secs: left_secs.clamp(0, 86_400),
    };
    hand_out(&files, &about, &headers).await
}

fn content_type(name: &str, kind: RecordingKind) -> &'static str {
    match (name.rsplit_once('.').map_or("", |(_, ending)| ending), kind) {
        ("webm", RecordingKind::Track) => "audio/webm",
        ("webm", _) => "video/webm",
        ("mp4", _) => "video/mp4",
        ("m4a", _) => "audio/mp4",
        ("mp3", _) => "audio/mpeg",
        _ => "application/octet-stream",
    }
}
