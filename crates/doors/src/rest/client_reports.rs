//! What clients report of themselves by themselves: a few named events are kept, to explain with; all else is dropped unread.
//! Invariant: nothing of it is ever believed in counts, minutes, scores or who is live. No addresses, descriptions, page
//! URLs, device names or figures are kept (all seen in reports of web SDK 2.0.2).
//! The answer is 200 whatever comes: clients put what was not taken back and send it for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use salon_core::{ParticipantId, PeerId, SessionId, Timestamp};
use salon_store::{ClientEvent, Store};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rest::auth::bearer;
use crate::rest::body::discard;
use crate::rest::error::ApiError;
use crate::rest::reply;
use crate::tokens::Tokens;
use salon_live::Clock;

/// The largest report that is read: clients send at most 25 entries, 25 kB were the most that was seen.
const MAX_BYTES: usize = 64 * 1024;

/// The largest that is taken in at all.
const MAX_DROPPED_BYTES: usize = 4 * 1024 * 1024;

/// Entries of a report that are looked at: as many as clients send.
const MAX_ENTRIES: usize = 25;

/// Longest word that is kept, in characters.
const MAX_WORD: usize = 32;

/// Reports of one participant that are read in a second.
const A_SECOND: u32 = 2;

/// Participants whose rate is remembered; with more everybody's is forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// A peer's client may report for so long after it left.
const LATE_MS: i64 = 120_000;

/// An entry is from the time of its report less its age there, and no older than this.
const OLDEST_MS: i64 = 600_000;

/// What is kept: what nobody but the client can know, and what explains something.
const KEPT: [&str; 7] = [
    "media_permission",
    "audio_play_failed",
    "video_play_failed",
    "audio_track_muted",
    "video_track_muted",
    "tab_change",
    "browser_backgrounded",
];

/// Whether reports are read, and how often of whom.
#[derive(Clone)]
pub struct Reports {
    pub are_read: bool,
    seen: Arc<Mutex<HashMap<ParticipantId, (Instant, u32)>>>,
}

impl Reports {
    pub fn new(are_read: bool) -> Self {
        Self { are_read, seen: Arc::default() }
    }

    /// Whether one more of this participant is read now.
    fn take(&self, who: &ParticipantId, now: Instant) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if seen.len() >= MAX_REMEMBERED {
            seen.clear();
        }
        let (since, count) = seen.entry(who.clone()).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= A_SECOND
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    peer_id: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    event: String,
    #[serde(default)]
    meta_data: Value,
    #[serde(default)]
    timestamp: Value,
}

/// Takes a report, and keeps of it what may be kept.
pub async fn take(
    State(reports): State<Reports>,
    State(store): State<Store>,
    State(tokens): State<Tokens>,
    State(clock): State<Clock>,
    request: Request,
) -> Result<Response, ApiError> {
    let taken = || reply::json(StatusCode::OK, &json!({}));
    let now = clock.now();
    let who = bearer(request.headers()).and_then(|token| tokens.verify(token, now));
    let Some(who) = who.filter(|who| reports.are_read && reports.take(&who.participant, Instant::now())) else {
        discard(request.into_body(), MAX_DROPPED_BYTES).await?;
        return Ok(taken());
    };
    // Too large, cut off or not what clients send: dropped.
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_BYTES).await else { return Ok(taken()) };
    let Ok(report) = serde_json::from_slice::<Report>(&body) else { return Ok(taken()) };
    let Ok(peer) = PeerId::parse(&report.peer_id) else { return Ok(taken()) };
    let events = kept(&report.payload.entries, now);
    if events.is_empty() {
        return Ok(taken());
    }
    // A store that is away is no reason for clients to pile up what they have.
    let Ok(found) = store.peer_anywhere(&who.app, &peer).await else { return Ok(taken()) };
    let own = found.filter(|(session, peer)| {
        let is_there = peer.left_at.is_none_or(|left_at| now.since(left_at) < LATE_MS);
        peer.participant == who.participant && session.summary.meeting == who.meeting && is_there
    });
    if let Some((session, _)) = own {
        let session: SessionId = session.summary.session;
        if let Err(error) = store.keep_client_events(&session, &peer, &events).await {
            tracing::debug!(%error, "what a client said is not kept");
        }
    }
    Ok(taken())
}

/// What is kept of the entries of a report that came now.
fn kept(entries: &[Entry], now: Timestamp) -> Vec<ClientEvent> {
    let entries = entries.iter().take(MAX_ENTRIES);
    // The client's clock may be anything: how long before its newest entry each was is what it knows.
    let newest = entries.clone().filter_map(|entry| moment(&entry.timestamp)).max();
    let events = entries.filter(|entry| KEPT.contains(&entry.event.as_str())).map(|entry| {
        let age = newest.zip(moment(&entry.timestamp)).map_or(0, |(newest, at)| newest.saturating_sub(at));
        let state = match &entry.meta_data["permission"] {
            Value::Null => &entry.meta_data["isMeetingsTabActive"],
            permission => permission,
        };
        ClientEvent {
            event: entry.event.clone(),
            told: word(&entry.timestamp),
            at: now.plus_ms(-age.clamp(0, OLDEST_MS)),
            device: word(&entry.meta_data["deviceType"]),
            state: word(state),
        }
    });
    events.collect()
}

/// A client's time in milliseconds, which some write as text.
fn moment(timestamp: &Value) -> Option<i64> {
    match timestamp {
        Value::Number(number) => number.as_f64().map(|ms| ms as i64),
        Value::String(text) => {
            crate::rfc3339::parse_rfc3339(text).map(|at| at.0).or_else(|| text.parse::<f64>().ok().map(|ms| ms as i64))
        }
        _ => None,
    }
}

/// A short word, of signs that mean nothing anywhere.
fn word(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    };
    let plain = |sign: &char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | ':' | '.' | '+');
    text.chars().filter(plain).take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_report_only_what_explains_is_kept_and_nothing_that_tells_on_anybody() {
        let now = Timestamp(1_750_000_000_000);
        let entries: Vec<Entry> = serde_json::from_value(json!([
            { "event": "ping_stat", "metaData": { "ip": "192.0.2.1" }, "timestamp": 9_000 },
            { "event": "media_permission", "metaData": { "deviceType": "audio", "permission": "DENIED", "deviceId": "x" },
              "timestamp": 4_000 },
            { "event": "audio_play_failed", "metaData": { "deviceType": "<b>https://a.example/?q=1" }, "timestamp": 5_000 },
            { "event": "tab_change", "metaData": { "isMeetingsTabActive": false } },
        ]))
        .expect("entries");
        let told: Vec<_> = kept(&entries, now);
        let told: Vec<_> =
            told.iter().map(|e| (e.event.as_str(), e.device.as_str(), e.state.as_str(), now.since(e.at))).collect();
        assert_eq!(
            told,
            [
                ("media_permission", "audio", "DENIED", 5_000),
                ("audio_play_failed", "bhttps:a.exampleq1", "", 4_000),
                ("tab_change", "", "false", 0),
            ]
        );
    }

    #[test]
    fn a_client_that_reports_without_end_is_not_read_without_end() {
        let (reports, start) = (Reports::new(true), Instant::now());
        let who = ParticipantId::parse("ann").expect("an id");
        let taken = |after: u64| reports.take(&who, start + Duration::from_millis(after));
        assert_eq!([0, 1, 2, 999, 1_000, 1_001, 1_002].map(taken), [true, true, false, false, true, true, false]);
    }
}
