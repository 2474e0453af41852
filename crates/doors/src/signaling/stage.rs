//! The stage: asking, deciding, stepping on and off.
//! Invariant: whoever steps on or off itself has its answer under the event of the push about it, which is what its
//! client waits for (seen in web SDK 2.0.2).
//! Next: `salon_core::session`, `stage.rs`.

use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::Session;
use salon_core::session::{Act, PeerView, Refusal, Stage, StageNews, StageRequest};
use salon_store::acting;
use salon_wire::event_id::room as r;
use salon_wire::signaling::socket::{livestreaming as wire, room};

use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::from_wire::participant_ids;
use crate::signaling::to_wire::people::stage_type;
use crate::signaling::trouble::Trouble;

pub async fn request(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.request_stage(now, &peer)).await??;
    Ok(Answer::None)
}

pub async fn cancel(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.cancel_stage_request(now, &peer)).await??;
    Ok(Answer::None)
}

pub async fn decide(caller: &Caller, user_ids: &[String], granted: bool) -> Result<Answer, Trouble> {
    let participants = participant_ids(user_ids)?;
    participants.iter().for_each(|who| acting::about("participant", who.as_str()));
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.decide_stage(now, &peer, &participants, granted)).await??;
    Ok(Answer::None)
}

pub async fn join(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.join_stage(now, &peer)).await??;
    Ok(own_status(caller, Stage::On))
}

pub async fn leave(caller: &Caller, request: wire::LeaveStageRequest) -> Result<Answer, Trouble> {
    let participants = participant_ids(&request.user_ids)?;
    let peer = caller.peer.clone();
    let own = participants.contains(&caller.participant);
    match participants.iter().all(|who| *who == caller.participant) {
        true => acting::never_mind(),
        false => participants.iter().for_each(|who| acting::about("participant", who.as_str())),
    }
    caller.handle.call(move |session, now| session.leave_stage(now, &peer, &participants)).await??;
    Ok(if own { own_status(caller, Stage::Off) } else { Answer::Payload(Bytes::new()) })
}

/// Those who ask. A client asks on joining whether or not it decides: one that does not is told of nobody.
pub async fn requests(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::HostListing)?;
        session.stage_requests(&peer)
    };
    let list = match caller.handle.call(read).await? {
        Err(Refusal::NotAllowed | Refusal::NotJoined) => Vec::new(),
        list => list?,
    };
    answer(&request_list(&list))
}

/// Where everybody stands: the Android core 1.3.0 asks on each join, and takes all for off stage without an answer.
pub async fn state(caller: &Caller) -> Result<Answer, Trouble> {
    let mut state = room::GetRoomStageStateResponse::default();
    for view in people(caller).await? {
        match view.stage {
            Stage::On => state.on_stage_peers.push(view.peer.to_string()),
            Stage::Approved => state.approved_stage_peers.push(view.peer.to_string()),
            Stage::Requested => state.requested_stage_peers.push(view.peer.to_string()),
            Stage::Off => {}
        }
    }
    answer(&state)
}

/// Those on stage.
pub async fn peers(caller: &Caller) -> Result<Answer, Trouble> {
    let on_stage = people(caller).await?.into_iter().filter(|view| view.stage == Stage::On);
    answer(&wire::GetStagePeersResponse { stage_peers: on_stage.map(|view| view.peer.to_string()).collect() })
}

async fn people(caller: &Caller) -> Result<Vec<PeerView>, Trouble> {
    let peer = caller.peer.clone();
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::Listing)?;
        session.peers(&peer)
    };
    Ok(caller.handle.call(read).await??)
}

fn own_status(caller: &Caller, stage: Stage) -> Answer {
    let status = status(caller.peer.to_string(), caller.participant.to_string(), stage);
    Answer::Under(r::PEER_STAGE_STATUS_UPDATE, status.encode_to_vec().into())
}

fn status(peer_id: String, user_id: String, stage: Stage) -> room::PeerStatusUpdate {
    room::PeerStatusUpdate { peer_id, user_id, stage_type: Some(stage_type(stage)) }
}

fn request_list(list: &[StageRequest]) -> wire::GetStageRequestsResponse {
    let requests = list.iter().map(|request| wire::StageRequest {
        display_name: request.name.clone(),
        user_id: request.participant.to_string(),
        peer_id: request.peer.to_string(),
    });
    wire::GetStageRequestsResponse { stage_requests: requests.collect() }
}

/// The push of a piece of news: its event and payload.
pub fn push(news: &StageNews) -> (u32, Vec<u8>) {
    match news {
        StageNews::Status { peer, participant, stage } => {
            (r::PEER_STAGE_STATUS_UPDATE, status(peer.to_string(), participant.to_string(), *stage).encode_to_vec())
        }
        StageNews::Granted => (r::GRANT_STAGE_ACCESS, Vec::new()),
        StageNews::Denied => (r::DENY_STAGE_ACCESS, Vec::new()),
        StageNews::Requests(list) => (r::GET_STAGE_REQUESTS, request_list(list).encode_to_vec()),
    }
}
