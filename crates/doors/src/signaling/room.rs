//! The room service: who is here, coming in, removing people, application messages.
//! Next: `media.rs`.

use std::sync::atomic::Ordering;

use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::Session;
use salon_core::event::Actor;
use salon_core::session::{Act, Audience, EarlierChat, Entered, Join, MeetingFacts, PeerView, Refusal};
use salon_store::{Happening, acting};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::room as wire;

use crate::entrance::{self, At};
use crate::flows::facts::facts;
use crate::flows::kick::end_others;
use crate::flows::{livestreams as streamed, recordings as recorded, robots, travel};
use crate::ids::random_id;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::connected;
use crate::signaling::from_wire::{MAX_IDS, message, participant_ids, peer_id};
use crate::signaling::recordings;
use crate::signaling::to_wire::people;
use crate::signaling::trouble::Trouble;
use salon_live::Unavailable;

/// How often the chat of the last session is looked up for one join: once, and again if a session came between.
const MAX_LOOKS: usize = 3;

/// Lets the caller in as the participant of its token. Of what the client says about itself only the display name is
/// read, and taken where the preset allows it.
pub async fn join(caller: &Caller, request: wire::JoinRoomRequest) -> Result<Answer, Trouble> {
    let joined = enter(caller, request).await;
    match &joined {
        Err(Trouble::Refused(refusal)) => {
            if let Some(what) = entrance::refused(refusal) {
                caller.at_entrance(what);
            }
        }
        Err(Trouble::Gone) => caller.at_entrance(Happening::NoParticipant),
        _ => {}
    }
    joined
}

async fn enter(caller: &Caller, request: wire::JoinRoomRequest) -> Result<Answer, Trouble> {
    let admission = robots::admission(&caller.store, &caller.participant, caller.recording.as_ref()).await?;
    let admission = admission.ok_or(Trouble::Gone)?;
    let facts = beside(caller, facts(&admission.meeting)).await?;
    let deleted = admission.meeting.deleted_at.is_some();
    let begins = caller.recording.is_none() && (admission.meeting.record_on_start || admission.meeting.live_stream_on_start);
    let participant = admission.participant;
    let join = Join {
        peer: caller.peer.clone(),
        participant: caller.participant.clone(),
        custom_participant_id: participant.custom_participant_id,
        name: participant.name.unwrap_or_default(),
        wanted_name: request.peer.map(|peer| peer.display_name),
        picture: participant.picture,
        preset: robots::permissions(&admission.preset)?,
        meeting_active: admission.meeting.active && !deleted,
        origin: participant.origin,
        let_in: caller.let_in_until.filter(|until| caller.clock.now() < *until).map(travel::moved_at),
        flowing: Vec::new(),
        fresh_session: random_id(),
    };
    let mut earlier = None;
    let (mut entered, mut waited) = (Entered::NeedsEarlierChat, false);
    for _ in 0..MAX_LOOKS {
        let (removed, facts, mut join) = (caller.removed.clone(), facts.clone(), join.clone());
        let media = caller.media.clone();
        let act = move |session: &mut Session, now| {
            // Asked again here, where nothing comes between the question and the join; so is what still flows.
            if removed.is_raised() {
                return Err(Trouble::Removed);
            }
            if session.summary().is_none() {
                session.set_facts(facts);
            }
            if let Some(earlier) = earlier.take() {
                session.bring_earlier_chat(earlier);
            }
            join.flowing = session.tracks_of(&join.peer).filter(|track| media.has(track)).cloned().collect();
            let waited = session.is_waiting(&join.peer);
            Ok((session.join(now, join)?, waited))
        };
        (entered, waited) = caller.handle.call(act).await??;
        if entered != Entered::NeedsEarlierChat {
            break;
        }
        earlier = Some(earlier_chat(caller).await?);
    }
    if deleted && let Some(parent) = &admission.meeting.parent {
        // It was cut off when the others were sent on.
        let parent = caller.store.meeting_of(parent).await?.ok_or(Trouble::Gone)?;
        caller.travel.send_home(&parent, &admission.meeting).await?;
    }
    if matches!(entered, Entered::Joined(_)) && caller.recording.is_none() {
        caller.transcripts.look(&caller.handle, &admission.meeting);
    }
    let waits = matches!(entered, Entered::Waiting(_));
    caller.waits.store(waits, Ordering::Relaxed);
    match (waits, waited) {
        (true, false) => caller.at_entrance(Happening::Waits),
        (false, true) => caller.at_entrance(Happening::LetIn),
        _ => {}
    }
    match entered {
        // Sessions came and went as fast as they were looked up.
        Entered::NeedsEarlierChat => Err(Trouble::Unavailable(Unavailable)),
        Entered::Waiting(peer) => answer(&people::peer_info(&peer)),
        Entered::Joined(peer) if begins => {
            let meeting = &admission.meeting;
            if meeting.record_on_start {
                recorded::begin_with_meeting(&caller.recordings, &caller.handle, meeting, &caller.clock).await;
            }
            if meeting.live_stream_on_start {
                streamed::begin_with_meeting(&caller.livestreams, &caller.handle, meeting, &caller.clock).await;
            }
            Ok(joined(caller, &peer))
        }
        Entered::Joined(peer) => Ok(joined(caller, &peer)),
    }
}

/// It is in; its client learns so when it will not publish into the void.
fn joined(caller: &Caller, peer: &PeerView) -> Answer {
    let told = people::peer_info(peer).encode_to_vec().into();
    match caller.media.cut_off_until(&caller.meeting, &caller.peer) {
        None => Answer::Payload(told),
        Some(until) => Answer::Later(until, told),
    }
}

/// What was said in the meeting's last session. If that cannot be read any more the meeting must go on all the same.
async fn earlier_chat(caller: &Caller) -> Result<EarlierChat, Trouble> {
    let store = &caller.store;
    let Some(last) = store.last_ended_session_of(&caller.meeting).await? else { return Ok(EarlierChat::default()) };
    match store.record(&last).await {
        Ok(record) => Ok(record.as_ref().map(EarlierChat::of).unwrap_or_default()),
        Err(salon_store::Error::Corrupt(corrupt)) => {
            tracing::error!(session.id = %last, %corrupt, "the chat of a session cannot be read; the next begins without it");
            Ok(EarlierChat::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// With the session of the parent that is live now, in which that of a connected meeting begins.
async fn beside(caller: &Caller, mut facts: MeetingFacts) -> Result<MeetingFacts, Trouble> {
    let Some(parent) = &mut facts.parent else { return Ok(facts) };
    parent.session = match caller.hub.session_of(parent.meeting.as_str()) {
        Some(session) => Some(session),
        None => caller.store.live_session_of(&parent.meeting).await?.map(|row| row.summary.session),
    };
    Ok(facts)
}

pub async fn leave(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let (view, waited) = caller
        .handle
        .call(move |session, now| {
            let (view, waited) = (session.peer(&peer, &peer), session.is_waiting(&peer));
            session.leave(now, &peer);
            (view, waited)
        })
        .await?;
    if waited {
        caller.at_entrance(Happening::WentAway);
    }
    answer(&people::peer_info(&view?))
}

/// What the client shows of the meeting itself. Who waits learns its name and nothing of the session, but must have an
/// answer: without one its client takes the whole join for failed (seen in web SDK 2.0.2).
pub async fn info(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let room = caller
        .handle
        .call(move |session, now| {
            if session.is_waiting(&peer) {
                let facts = session.facts();
                return Ok(wire::Room {
                    room_id: facts.meeting.to_string(),
                    title: facts.title.clone(),
                    ..wire::Room::default()
                });
            }
            session.ask(now, &peer, Act::Look)?;
            let record = session.record().ok_or(Refusal::NoSession)?;
            Ok::<_, Refusal>(wire::Room {
                room_id: record.started.meeting.to_string(),
                title: record.started.title.clone(),
                created_at: (record.started.started_at.0 / 1_000).max(0) as u64,
                active_recordings: session.recordings().iter().map(recordings::active).collect(),
                room_uuid: Some(record.started.session.to_string()),
            })
        })
        .await??;
    answer(&wire::RoomInfoResponse { room: Some(room) })
}

/// Everyone, or a page of those whose name contains the search text, the search ignoring case. Who waits is told of
/// nobody; see [`info`].
pub async fn peers(caller: &Caller, request: wire::RoomPeersInfoRequest) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let peers = caller
        .handle
        .call(move |session, now| if session.is_waiting(&peer) { Ok(Vec::new()) } else { session.list_peers(now, &peer) })
        .await??;
    let wanted = request.seach_query.to_lowercase();
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let peers = peers
        .iter()
        .filter(|peer| wanted.is_empty() || peer.name.to_lowercase().contains(&wanted))
        .skip(usize::try_from(request.offset).unwrap_or(0))
        .take(limit)
        .map(people::peer)
        .collect();
    answer(&wire::RoomPeersInfoResponse { peers })
}

pub async fn peer(caller: &Caller, request: wire::GetPeerInfoRequest) -> Result<Answer, Trouble> {
    let wanted = peer_id(&request.peer_id)?;
    let peer = caller.peer.clone();
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::Look)?;
        session.peer(&peer, &wanted)
    };
    let view = caller.handle.call(read).await??;
    answer(&people::peer_info(&view))
}

/// Removes people. There is no answer: the caller's client would take it for its own kick (seen in web SDK 2.0.2).
pub async fn kick(caller: &Caller, request: wire::RemoveParticipantsRequest) -> Result<Answer, Trouble> {
    let peers = request.peer_ids.iter().take(MAX_IDS).map(|id| peer_id(id)).collect::<Result<Vec<_>, _>>()?;
    peers.iter().for_each(|peer| acting::about("peer", peer.as_str()));
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.kick(now, &peer, &peers)).await??;
    Ok(Answer::None)
}

/// Ends the session for everyone; no answer but the push, which the caller gets too. On demand, as of web SDK 2.0.2 always,
/// those of connected meetings as well, if the caller may alter these.
pub async fn kick_all(caller: &Caller, request: edge::KickAllPeersRequest) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let (may_alter, facts) = caller
        .handle
        .call(move |session, now| {
            let may_alter = session.alters_connected(&peer);
            session.kick_all(now, &Actor::Peer(peer)).map(|_| (may_alter, session.facts().clone()))
        })
        .await??;
    if request.propagate_kick_across_rooms
        && may_alter
        && let Some(parent) = caller.hub.family_of(&facts)
    {
        end_others(&caller.hub, &caller.store, &parent, &facts.meeting).await?;
    }
    Ok(Answer::None)
}

pub async fn waiting_list(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let read = move |session: &mut Session, now| {
        session.ask(now, &peer, Act::HostListing)?;
        session.waiting_list(&peer)
    };
    let waiting = caller.handle.call(read).await??;
    answer(&people::waiting_list(&waiting))
}

pub async fn admit(caller: &Caller, request: wire::AcceptWaitingRoomRequests) -> Result<Answer, Trouble> {
    let participants = participant_ids(&request.user_ids)?;
    participants.iter().for_each(|who| acting::about("participant", who.as_str()));
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.admit(now, &peer, &participants)).await??;
    Ok(Answer::None)
}

pub async fn deny(caller: &Caller, request: wire::DenyWaitingRoomRequests) -> Result<Answer, Trouble> {
    let participants = participant_ids(&request.user_ids)?;
    participants.iter().for_each(|who| acting::about("participant", who.as_str()));
    let peer = caller.peer.clone();
    let denied = caller.handle.call(move |session, now| {
        let mut denied = session.waiting();
        session.deny(now, &peer, &participants)?;
        denied.retain(|view| !session.is_waiting(&view.peer));
        Ok::<_, Refusal>(denied)
    });
    for view in denied.await?? {
        let Caller { app, meeting, .. } = caller;
        caller.entrance.note(At { app, meeting, participant: &view.participant, peer: &view.peer }, Happening::Denied);
    }
    Ok(Answer::None)
}

/// To everyone else; the sender gets its own message back as the answer.
pub async fn broadcast(caller: &Caller, request: wire::BroadcastMessage, raw: Bytes) -> Result<Answer, Trouble> {
    let message = message(request);
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.broadcast(now, &peer, Audience::Others, message)).await??;
    Ok(Answer::Payload(raw))
}

/// To the peers named; the sender waits for no answer.
pub async fn broadcast_to(caller: &Caller, request: wire::BroadcastMessage) -> Result<Answer, Trouble> {
    if request.broadcast_type() == wire::BroadcastType::Rooms {
        return connected::broadcast(caller, request).await;
    }
    let peers = request.ids.iter().take(MAX_IDS).map(|id| peer_id(id)).collect::<Result<Vec<_>, _>>()?;
    let message = message(request);
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.broadcast(now, &peer, Audience::Peers(peers), message)).await??;
    Ok(Answer::None)
}
