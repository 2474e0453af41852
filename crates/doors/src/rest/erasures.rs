//! Erasing a person over REST: Salon's own beside the contract.
//! Invariant: a receipt is given when everything is done; until then the same call finishes what is left.
//! Next: `salon_store`'s erasure, what is taken out; `docs/data.md`, what stays.

use axum::extract::State;
use salon_core::ParticipantId;
use salon_live::{Clock, Hub};
use salon_store::{Erased, Person, Store, acting};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::erasures as wire;

use crate::flows::kick::remove_deleted;
use crate::rest::auth::Caller;
use crate::rest::body::Body;
use crate::rest::check::{MAX_CUSTOM_ID_CHARS, text};
use crate::rest::error::ApiError;
use crate::rest::reply::{Answer, data};
use crate::rfc3339::rfc3339;

/// Takes a person out of everything that is kept of an app, but for when somebody was where.
#[utoipa::path(post, path = "/erasures", tag = "erasures", request_body = wire::ErasureBody,
    description = "Salon's own; not in the contract.",
    responses((status = 200, body = Envelope<wire::Erasure>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(hub): State<Hub>,
    State(clock): State<Clock>,
    caller: Caller,
    Body(body): Body<wire::ErasureBody>,
) -> Answer<wire::Erasure> {
    let person = person(body)?;
    let id = uuid::Uuid::now_v7().to_string();
    acting::about("erasure", &id);
    let receipt = match store.erase(&caller.app, &person, clock.now()).await? {
        Erased::Done(receipt) => receipt,
        Erased::Nobody => return Err(ApiError::not_found("Nobody is known under this id")),
        Erased::Live(meeting) => {
            let why = format!("meeting {meeting} is live and knows this person; end its session (kick-all) and try again");
            return Err(ApiError::conflict(why));
        }
        Erased::Storing(meeting) => {
            let why = format!("a recording of voices in meeting {meeting} is being stored; try again in a minute");
            return Err(ApiError::conflict(why));
        }
        Erased::Indexing => {
            return Err(ApiError::unavailable("sessions of an earlier version are being indexed; try again in a minute"));
        }
    };
    // Who came in meanwhile is put out; what that session says of them is for another call.
    for (meeting, participant) in &receipt.participants {
        remove_deleted(&hub, &store, meeting, participant).await?;
    }
    data(wire::Erasure {
        id,
        erased_at: rfc3339(clock.now()),
        participants: receipt.participants.len() as u64,
        sessions: receipt.sessions,
        messages: receipt.messages,
        files: receipt.files,
        voices: receipt.voices,
    })
}

fn person(body: wire::ErasureBody) -> Result<Person, ApiError> {
    match (body.custom_participant_id, body.participant_id) {
        (Some(custom), None) => {
            text("custom_participant_id", &custom, 1, MAX_CUSTOM_ID_CHARS)?;
            Ok(Person::Custom(custom))
        }
        (None, Some(id)) => {
            let id = ParticipantId::parse(&id).map_err(|why| ApiError::invalid("participant_id", why))?;
            Ok(Person::Participant(id))
        }
        _ => Err(ApiError::bad_request("give one of \"custom_participant_id\" and \"participant_id\"")),
    }
}
