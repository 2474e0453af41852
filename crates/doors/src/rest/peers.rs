//! Where a person has been, over all sessions of an app: Salon's own beside the contract.
//! Next: `session_people.rs`, the people of one session.

use axum::extract::State;
use salon_store::{Person, Store};
use salon_wire::rest::envelope::{ErrorBody, Page};
use salon_wire::rest::peers as wire;
use salon_wire::rest::sessions::SessionStatus;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Listed, page};
use crate::rest::session_people::stay;
use crate::rest::sessions::current;
use crate::rfc3339::rfc3339;

/// A person's stays, by their own id or a participant's, last come first.
#[utoipa::path(get, path = "/peers", tag = "sessions",
    description = "Salon's own; not in the contract.", params(wire::PersonPeersQuery),
    responses((status = 200, body = Page<wire::PersonPeers>), (status = 400, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    asked: Asked,
) -> Listed<wire::PersonPeers> {
    let person = match (asked.text("custom_participant_id")?, asked.id("participant_id")?) {
        (Some(id), None) => Person::Custom(id.to_owned()),
        (None, Some(id)) => Person::Participant(id),
        _ => {
            let one = "or \"participant_id\" is required, and only one of them";
            return Err(ApiError::bad_request(format!("\"custom_participant_id\" {one}")));
        }
    };
    let wanted = asked.page()?;
    let found = store.peers_of(&caller.app, &person, &wanted).await?;
    let rows: Vec<_> = found.items.iter().map(|(row, _)| row).collect();
    let told = current(&teller, &rows, teller.clock.now()).await?;
    let mut peers = Vec::with_capacity(found.items.len());
    for ((row, peer), told) in found.items.iter().zip(told) {
        let session = &row.summary;
        peers.push(wire::PersonPeer {
            session_id: session.session.to_string(),
            session_status: if session.ended_at.is_some() { SessionStatus::Ended } else { SessionStatus::Live },
            session_started_at: rfc3339(session.started_at),
            meeting_id: session.meeting.to_string(),
            meeting_display_name: session.title.clone(),
            stay: stay(peer, told.until),
            counts: peer.counts,
            left_because: peer.reason_name().map(str::to_owned),
        });
    }
    let paging = paging(&wanted, peers.len(), found.total);
    page(wire::PersonPeers { peers }, paging)
}
