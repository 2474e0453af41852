//! What is to be streamed, of a meeting or of none, and where it is watched.
//! Next: `salon_recordings::Livestreams`, which streams it.

use salon_core::event::{RecordedBy, RecordingKind};
use salon_core::notice::LivestreamStatus;
use salon_core::{AppId, SessionId, Timestamp};
use salon_live::{Clock, Handle};
use salon_recordings::Livestreams;
use salon_store::{Livestream, Meeting};
use serde_json::json;
use uuid::Uuid;

use crate::ids::{fresh_id, random_id};

/// Pixels of a livestream unless others are said.
const WIDTH: u32 = 1_280;
const HEIGHT: u32 = 720;

/// A livestream to be started. `here` is where whoever asks finds this server.
pub fn livestream(
    livestreams: &Livestreams,
    meeting: &Meeting,
    (name, (width, height)): (Option<String>, (Option<u32>, Option<u32>)),
    (by, here): (RecordedBy, String),
    now: Timestamp,
) -> Livestream {
    // Pictures have even sides.
    let even = |side: Option<u32>, usual: u32| (side.unwrap_or(usual) / 2 * 2).max(2);
    let video = json!({ "codec": "H264", "width": even(width, WIDTH), "height": even(height, HEIGHT), "layout": "grid" });
    Livestream {
        meeting: Some(meeting.id.clone()),
        // Of which it is, the session says.
        session: Some(random_id::<SessionId>()),
        invoked_at: Some(now),
        status: LivestreamStatus::Invoked,
        config: json!({ "here": here, "video": video }),
        ..independent(livestreams, &meeting.app, name, (by, here), now)
    }
}

/// A livestream of no meeting, to which something is streamed to us.
pub fn independent(
    livestreams: &Livestreams,
    app: &AppId,
    name: Option<String>,
    (by, here): (RecordedBy, String),
    now: Timestamp,
) -> Livestream {
    Livestream {
        id: fresh_id(),
        app: app.clone(),
        meeting: None,
        session: None,
        run: Uuid::now_v7().to_string(),
        invoked_at: None,
        name,
        secret: Uuid::new_v4().simple().to_string(),
        status: LivestreamStatus::Idle,
        config: json!({ "here": here }),
        created_at: now,
        started_at: None,
        stopped_at: None,
        updated_at: now,
        ingest_ms: 0,
        viewer_ms: 0,
        started_by: by,
        stopped_by: None,
        error: None,
        is_kept: false,
        expires_at: None,
        node: livestreams.node().to_owned(),
        version: 0,
        key: None,
        is_disabled: false,
    }
}

/// A new key for a livestream that comes from elsewhere.
pub fn fresh_key() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Begins the livestream that a meeting wants to begin with, unless it had it: the person who came first is in, whatever comes of
/// this.
pub async fn begin_with_meeting(livestreams: &Livestreams, handle: &Handle, meeting: &Meeting, clock: &Clock) {
    if !handle.call(|session, _| session.is_yet_to_be_recorded(RecordingKind::Livestream)).await.unwrap_or(false) {
        return;
    }
    let by = (RecordedBy::Meeting, livestreams.public().to_owned());
    let wanted = livestream(livestreams, meeting, (None, (None, None)), by, clock.now());
    let failed = match livestreams.can() {
        Ok(()) => livestreams.start(handle, wanted).await.err().map(|failed| failed.to_string()),
        Err(why) => Some(why.to_owned()),
    };
    if let Some(why) = failed {
        tracing::warn!(meeting.id = %meeting.id, why, "a meeting that wants to be streamed from its start is not");
    }
}
