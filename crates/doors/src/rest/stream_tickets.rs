//! Tickets for streams: for browsers, whose `EventSource` sends no credential, and which should have none.
//! Invariant: a ticket opens the one stream that it was made for, once, and soon; the stream ends with the key it was taken with.
//! Next: `watching.rs`, the streams; `docs/watching.md`.

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response};
use salon_core::{MeetingId, SessionId};
use salon_live::Clock;
use salon_store::{Opens, Store, StreamTicket};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::stream_tickets as wire;
use uuid::Uuid;

use crate::keys::{Keys, digest};
use crate::rest::auth::{Caller, KeyHash};
use crate::rest::body::Body;
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::live::Teller;
use crate::rest::path::{Named, PathId};
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, created};
use crate::rest::sessions;
use crate::rest::watching::{Watching, cursor};
use crate::rfc3339::rfc3339;

/// How long a ticket is good, in milliseconds: from a server's answer over its page to a browser's request.
const GOOD_MS: i64 = 30_000;

/// Digits of a ticket: 122 random bits.
const DIGITS: usize = 32;

/// A ticket for a stream.
#[utoipa::path(post, path = "/stream-tickets", tag = "active_session", request_body = wire::StreamTicketBody,
    description = "Salon's own; not in the contract.",
    responses((status = 201, body = Envelope<wire::StreamTicket>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(watching): State<Watching>,
    Here(here): Here,
    caller: Caller,
    Body(body): Body<wire::StreamTicketBody>,
) -> Answer<wire::StreamTicket> {
    let opens = match (id::<MeetingId>("meeting_id", body.meeting_id)?, id::<SessionId>("also", body.also)?) {
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("also", "goes with the live sessions of the app, without \"meeting_id\""));
        }
        (Some(meeting), None) => {
            watching.allow(&caller, &meeting).await?;
            Opens::People { meeting, wait: body.wait.unwrap_or_default() }
        }
        (None, _) if body.wait.is_some() => return Err(ApiError::invalid("wait", "goes with a \"meeting_id\"")),
        (None, also) => {
            if let Some(session) = &also {
                sessions::find(&store, &caller, session).await?;
            }
            Opens::Sessions { also }
        }
    };
    let (now, text) = (clock.now(), Uuid::new_v4().simple().to_string());
    let ticket = StreamTicket {
        hash: digest(&text),
        account: caller.account,
        app: caller.app,
        key_hash: caller.key.0,
        opens,
        expires_at: now.plus_ms(GOOD_MS),
    };
    store.add_stream_ticket(&ticket, now).await?;
    created(wire::StreamTicket { url: format!("{here}/streams/{text}"), expires_at: rfc3339(ticket.expires_at) })
}

/// The stream that a ticket opens.
pub async fn open(
    State(store): State<Store>,
    State(teller): State<Teller>,
    State(keys): State<Keys>,
    State(watching): State<Watching>,
    Named(text): Named<String>,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response<HttpBody>, ApiError> {
    if method != Method::GET {
        // Whoever looks whether a link leads anywhere must not spend it.
        return Err(ApiError::method_not_allowed());
    }
    let spent = || ApiError::not_found("This ticket was used, or is older than 30 s, or never was one; take a new one");
    if text.len() != DIGITS {
        return Err(spent());
    }
    let (now, after) = (teller.clock.now(), cursor(&asked, &headers)?);
    let ticket = store.stream_ticket(&digest(&text), now).await?.ok_or_else(spent)?;
    let StreamTicket { hash, account, app, key_hash, opens, .. } = ticket.clone();
    let key = keys.of_hash(key_hash, now).await?;
    key.filter(|key| key.account == account && key.reach.covers(&app)).ok_or_else(spent)?;
    // With a ticket one only reads.
    let caller = Caller { app, account, key: KeyHash(key_hash), may_manage: false };
    // What another node has is watched there, where the ticket is good still.
    match &opens {
        Opens::People { meeting, .. } => sessions::bring(&teller, meeting).await?,
        Opens::Sessions { also: Some(session) } => {
            let row = sessions::find(&store, &caller, session).await?;
            sessions::bring(&teller, &row.summary.meeting).await?;
        }
        Opens::Sessions { also: None } => {}
    }
    if !store.spend_stream_ticket(&hash).await? {
        return Err(spent());
    }
    let opened = match opens {
        Opens::People { meeting, wait } => watching.people(&caller, &meeting, after, wait).await,
        Opens::Sessions { also } => watching.sessions(&caller, also.as_ref(), after).await,
    };
    if opened.is_err() {
        // It opened nothing: there is no place, say, or no session yet.
        store.add_stream_ticket(&ticket, now).await?;
    }
    opened
}

/// An id of the body.
fn id<T: PathId>(name: &str, text: Option<String>) -> Result<Option<T>, ApiError> {
    let read = |text: String| T::read(&text).ok_or_else(|| ApiError::invalid(name, "must be a valid GUID"));
    text.map(read).transpose()
}
