//! What was said, over REST: the transcript of a session, what is said in a live one, and summaries.
//! Invariant: a link is given only to what has something in it; it is its own credential, and good until the transcript goes.
//! Next: `transcript_forms.rs`, the files; `salon_transcripts`, who writes them.

use axum::extract::State;
use axum::response::Response;
use salon_core::preset::Entry;
use salon_core::{MeetingId, SessionId};
use salon_live::Clock;
use salon_store::{Store, SummaryState, Transcript};
use salon_transcripts::Transcripts;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::sessions as wire;
use salon_wire::rest::sessions::TranscriptFormat;
use serde_json::Value;

use crate::flows::presets;
use crate::rest::auth::{Asker, Caller};
use crate::rest::documents::{gone, linked, saved};
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::path::{At, Named};
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;
use crate::session_links::{Document, whole_seconds};
use crate::tokens::Tokens;
use crate::transcript_forms::{self as forms, Stays};

/// How long a link to what is said in a live session is good.
const LIVE_LINK_MS: i64 = 60 * 60 * 1_000;

/// Where the files are.
const PLACE: &str = "files/transcripts";

/// The transcript of a session that is over: a link, once everything is written down.
#[utoipa::path(get, path = "/sessions/{session_id}/transcript", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), wire::TranscriptQuery),
    responses((status = 200, body = Envelope<wire::SessionTranscript>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
    Here(here): Here,
) -> Answer<wire::SessionTranscript> {
    let format = asked.one_of::<TranscriptFormat>("format")?.unwrap_or(TranscriptFormat::Csv);
    let found = find(&store, &clock, &caller, &id).await?;
    let expires = whole_seconds(found.expires_at);
    data(wire::SessionTranscript {
        session_id: id.to_string(),
        transcript_download_url: Document::Transcript(format).link(&tokens, &here, &id, expires),
        transcript_download_url_expiry: rfc3339(expires),
    })
}

/// The summary of a session's transcript: a link, once there is one.
#[utoipa::path(get, path = "/sessions/{session_id}/summary", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SessionSummary>), (status = 404, body = ErrorBody)))]
pub async fn summary(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(id): At<SessionId>,
    Here(here): Here,
) -> Answer<wire::SessionSummary> {
    sessions::find(&store, &caller, &id).await?;
    let found = store.transcript(&id, clock.now()).await?;
    let none = |more: &str| ApiError::not_found(format!("No summary found for session {id}{more}"));
    let (expires, summary) = found.and_then(|found| Some((found.expires_at, found.summary?))).ok_or_else(|| none(""))?;
    if summary.text.is_empty() {
        return Err(match summary.state {
            SummaryState::Failed => none(&format!("; it could not be made: {}", summary.error.unwrap_or_default())),
            _ => none("; it is being made"),
        });
    }
    let expires = whole_seconds(expires);
    data(wire::SessionSummary {
        session_id: id.to_string(),
        summary_download_url: Document::Summary.link(&tokens, &here, &id, expires),
        summary_download_url_expiry: rfc3339(expires),
    })
}

/// Has a summary of a session's transcript made, as its meeting says.
#[utoipa::path(post, path = "/sessions/{session_id}/summary", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SummaryRequested>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn sum_up(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(transcripts): State<Transcripts>,
    caller: Caller,
    At(id): At<SessionId>,
) -> Answer<wire::SummaryRequested> {
    let found = find(&store, &clock, &caller, &id).await?;
    if !transcripts.sums_up() {
        return Err(ApiError::unprocessable("This server makes no summaries: whoever runs it may set summary.url"));
    }
    let meeting = store.meeting_of(&found.meeting).await?;
    let config = meeting.and_then(|meeting| meeting.ai_config).map_or(Value::Null, |config| config["summarization"].clone());
    transcripts.sum_up(&id, &config).await?;
    data(wire::SummaryRequested { session_id: id.to_string(), status: "IN_PROGRESS".to_owned() })
}

/// What was said so far in the live session of a meeting by those whose presets have it written down. The client SDK asks it
/// with a participant's token.
pub async fn active(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    asker: Asker,
    At(meeting): At<MeetingId>,
    Here(here): Here,
) -> Answer<wire::ActiveTranscript> {
    let none = || ApiError::not_found(format!("No active transcript found for meeting_id {meeting}"));
    asker.may_act_in(&meeting)?;
    let live = store.live_session_of(&meeting).await?.filter(|row| row.summary.app == *asker.app()).ok_or_else(none)?;
    let session = live.summary.session;
    // Clients ask before they are in. Who would have to wait to be let in hears nothing before that.
    if let Asker::Guest(guest) = &asker
        && presets::permissions(&guest.0.preset).map_err(ApiError::internal)?.entry != Entry::Skip
        && store.session_peer(&session, guest.0.participant.id.as_str()).await?.is_none_or(|peer| peer.since.is_none())
    {
        return Err(none());
    }
    if store.transcript_lines(&session, true).await?.is_empty() {
        return Err(none());
    }
    let expires = whole_seconds(clock.now().plus_ms(LIVE_LINK_MS));
    data(wire::ActiveTranscript {
        transcript_download_url: Document::LiveTranscript.link(&tokens, &here, &session, expires),
        transcript_download_url_expiry: rfc3339(expires),
    })
}

/// What a link leads to.
pub async fn download(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    Named(file): Named<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let now = clock.now();
    let (document, id) = linked((PLACE, &file), &asked, &tokens, now)?;
    let (kind, text) = match document {
        Document::Transcript(format) => {
            store.transcript(&id, now).await?.ok_or_else(gone)?;
            whole(&store, &id, format).await?.ok_or_else(gone)?
        }
        Document::LiveTranscript => ("text/csv; charset=utf-8", forms::live_csv(&store.transcript_lines(&id, true).await?)),
        Document::Summary => {
            let summary = store.transcript(&id, now).await?.and_then(|found| found.summary).ok_or_else(gone)?;
            ("text/plain; charset=utf-8", summary.text)
        }
        Document::Chat(_) => return Err(gone()),
    };
    if text.is_empty() {
        return Err(gone());
    }
    Ok(saved(kind, &format!("transcript-{file}"), text))
}

async fn whole(store: &Store, id: &SessionId, format: TranscriptFormat) -> Result<Option<(&'static str, String)>, ApiError> {
    let lines = store.transcript_lines(id, false).await?;
    let Some(began) = store.session_began(id).await? else { return Ok(None) };
    Ok(Some(match format {
        TranscriptFormat::Csv => ("text/csv; charset=utf-8", forms::csv(began, &lines)),
        TranscriptFormat::Srt => ("application/x-subrip", forms::srt(began, &lines)),
        TranscriptFormat::Vtt => ("text/vtt; charset=utf-8", forms::vtt(began, &lines)),
        TranscriptFormat::Json => {
            let stays: Stays = store.stays_in(id).await?.into_iter().map(|(peer, came, left)| (peer, (came, left))).collect();
            ("application/json", forms::json(began, &lines, &stays))
        }
    }))
}

/// The transcript of a session that is over, if there is something in it.
async fn find(store: &Store, clock: &Clock, caller: &Caller, id: &SessionId) -> Result<Transcript, ApiError> {
    sessions::find(store, caller, id).await?;
    let found = store.transcript(id, clock.now()).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No transcript found for session {id}")))
}
