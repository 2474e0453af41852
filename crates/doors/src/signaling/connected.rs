//! Connected meetings (breakout rooms): listing, making, deleting, moving people, and messages to other meetings.
//! Invariant: only meetings of the caller's own family are touched, and no family is looked up for who may not ask.
//! Next: `connected/from_wire.rs` and `connected/to_wire.rs`; `flows/travel.rs`, how people are moved; `salon_core::session`,
//! `connected.rs`, which judges; `salon_live`, `families.rs`, which tells everyone.

mod from_wire;
pub mod to_wire;

use std::sync::Arc;
use std::time::Duration;

use prost::bytes::Bytes;
use salon_core::MeetingId;
use salon_core::limits::{MAX_BROADCAST_IDS, MAX_CONNECTED_MEETINGS, MAX_MOVED};
use salon_core::session::{ConnectedNews, ConnectedView, Move, Refusal, RoomView};
use salon_store::Meeting;
use salon_store::acting;
use salon_wire::signaling::socket::room as wire;

use crate::flows::family::Family;
use crate::flows::travel::Way;
use crate::ids::fresh_id;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::from_wire::message;
use crate::signaling::trouble::Trouble;

/// A host who closes the room it is in moves everyone out first, itself included, and only then asks for the deletion
/// (seen in web SDK 2.0.2): it is sent on when it asks for nothing more for so long. Lower loses that request on slow lines
/// and machines.
const HOST_LEAVES_AFTER: Duration = Duration::from_millis(1_500);

async fn own_family(caller: &Caller) -> Result<Family, Trouble> {
    let facts = caller.handle.call(|session, _| session.facts().clone()).await?;
    Ok(Family::of(&caller.store, facts).await?)
}

/// All connected meetings. Every client asks on joining, and needs a parent in the answer even if the meeting stands
/// alone (seen in web SDK 2.0.2).
pub async fn list(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let listed = caller.handle.call(move |session, now| {
        let sees_others = session.list_connected(now, &peer)?;
        Ok::<_, Refusal>((sees_others, session.facts().clone(), session.people()))
    });
    let (sees_others, facts, people) = listed.await??;
    let view = match caller.hub.family_of(&facts) {
        Some(parent) => caller.hub.connected_view(&parent).await?,
        None => {
            let alone = RoomView { id: facts.meeting.clone(), title: facts.title, people };
            Arc::new(ConnectedView { parent: alone, meetings: Vec::new() })
        }
    };
    match sees_others {
        true => answer(&to_wire::dump(&view)),
        false => answer(&to_wire::dump(&view.from_inside(&facts.meeting))),
    }
}

/// Makes meetings connected with the caller's own, or with its parent.
pub async fn create(caller: &Caller, request: wire::CreateConnectedRoomsRequest) -> Result<Answer, Trouble> {
    let titles = from_wire::titles(request);
    let (peer, wanted) = (caller.peer.clone(), titles.clone());
    caller.handle.call(move |session, now| session.may_create_connected(now, &peer, &wanted)).await??;
    let Family { parent, .. } = own_family(caller).await?;
    let now = caller.clock.now();
    let room = |title: String| Meeting {
        id: fresh_id(),
        parent: Some(parent.id.clone()),
        title: Some(title),
        active: true,
        record_on_start: false,
        live_stream_on_start: false,
        created_at: now,
        updated_at: now,
        ..parent.clone()
    };
    let rooms: Vec<Meeting> = titles.into_iter().map(room).collect();
    rooms.iter().for_each(|room| acting::about("meeting", room.id.as_str()));
    if !caller.store.create_connected_meetings(&parent.id, &rooms, MAX_CONNECTED_MEETINGS).await? {
        return Err(Refusal::Full.into());
    }
    let made: Vec<_> = rooms.into_iter().map(|room| (room.id, room.title.unwrap_or_default())).collect();
    caller.hub.note_family(&parent.id);
    let answered = answer(&to_wire::changed(&made));
    caller.hub.tell_family(&parent.id, ConnectedNews::Changed(Arc::new(made))).await?;
    answered
}

/// Deletes connected meetings. Deleting one twice is deleting it.
pub async fn delete(caller: &Caller, request: wire::DisableConnectedRoomsRequest) -> Result<Answer, Trouble> {
    let (peer, count) = (caller.peer.clone(), request.payloads.len());
    caller.handle.call(move |session, now| session.may_alter_connected(now, &peer, count)).await??;
    let Family { parent, .. } = own_family(caller).await?;
    let ids = from_wire::ids(request);
    let known: Vec<MeetingId> = ids.iter().filter_map(|id| MeetingId::parse(id).ok()).collect();
    known.iter().for_each(|id| acting::about("meeting", id.as_str()));
    let deleted = caller.store.delete_connected_meetings(&parent.id, &known, caller.clock.now()).await?;
    if deleted.is_empty() {
        return Err(Refusal::UnknownMeeting.into());
    }
    let gone: Vec<_> = deleted.iter().map(|room| (room.id.clone(), room.title.clone().unwrap_or_default())).collect();
    caller.hub.tell_family(&parent.id, ConnectedNews::Deleted(Arc::new(gone.clone()))).await?;
    let (own, others): (Vec<_>, Vec<_>) = deleted.iter().partition(|room| room.id == caller.meeting);
    for room in others {
        caller.travel.send_home(&parent, room).await?;
    }
    let unknown = ids.into_iter().filter(|id| !gone.iter().any(|(known, _)| known.as_str() == id));
    let told = to_wire::deleted(&gone, unknown);
    match own.first() {
        None => answer(&told),
        Some(room) => {
            let act = caller.travel.way_home(&parent, room, &caller.handle).await?;
            Ok(Answer::then(&told, Duration::ZERO, act))
        }
    }
}

/// Sends people from one connected meeting to another. The client takes the answer for a failure if the word `error` is
/// anywhere in its bytes (seen in web SDK 2.0.2).
pub async fn move_people(caller: &Caller, request: wire::MovePeersBetweenRoomsRequest) -> Result<Answer, Trouble> {
    if request.participants.len() > MAX_MOVED {
        return Err(Refusal::TooLarge.into());
    }
    let source = from_wire::meeting(request.source_meeting_id())?;
    let destination = from_wire::meeting(request.destination_meeting_id())?;
    if source == destination || request.participants.is_empty() {
        return Err(Trouble::Malformed("people are moved from one meeting to another"));
    }
    let people = from_wire::departures(request.participants)?;
    if people.iter().all(|person| person.participant == caller.participant) {
        acting::never_mind();
    }
    acting::about("meeting", destination.as_str());
    people.iter().for_each(|person| acting::about("participant", person.participant.as_str()));
    let mut wish = Move {
        source: source.clone(),
        destination: destination.clone(),
        to_parent: false,
        people: people.iter().map(|person| person.participant.clone()).collect(),
        changes_presets: people.iter().any(|person| person.preset.is_some()),
    };
    let peer = caller.peer.clone();
    let judged = caller.handle.call(move |session, now| {
        wish.to_parent = wish.destination == *session.facts().head_of_family();
        session.may_move(now, &peer, &wish)
    });
    let let_in = judged.await??;
    let family = own_family(caller).await?;
    let (source, destination) = (family.find(source.as_str())?, family.find(destination.as_str())?);
    let goes_home = destination.id == family.parent.id;
    let there = caller.hub.find(source.id.as_str()).ok_or(Refusal::UnknownPeer)?;
    let way = Way { from: source, to: destination, let_in };
    let party = caller.travel.prepare(&way, &there, people).await?;
    let told = to_wire::moved(&party.people, &destination.id);
    // A client that is told to go closes its socket, and would wait in vain for this answer and what it asks next.
    let (others, own) = match source.id == caller.meeting {
        true => party.split(&caller.participant),
        false => (party, None),
    };
    there.call(move |session, now| others.send_on(session, now)).await?;
    // Who goes home and need not be let in is one who may alter.
    let after = if goes_home && let_in { HOST_LEAVES_AFTER } else { Duration::ZERO };
    match own {
        None => answer(&told),
        Some(own) => Ok(Answer::then(&told, after, move |session, now| own.send_on(session, now))),
    }
}

/// Passes a message on to the meetings named.
pub async fn broadcast(caller: &Caller, request: wire::BroadcastMessage) -> Result<Answer, Trouble> {
    if request.ids.len() > MAX_BROADCAST_IDS {
        return Err(Refusal::TooLarge.into());
    }
    let mut to: Vec<MeetingId> = Vec::new();
    for id in &request.ids {
        let meeting = from_wire::meeting(id)?;
        if !to.contains(&meeting) {
            to.push(meeting);
        }
    }
    let message = message(request);
    let (peer, wanted, said) = (caller.peer.clone(), to.clone(), message.clone());
    let judged = caller.handle.call(move |session, now| {
        let parent = session.facts().head_of_family().clone();
        let wanted: Vec<_> = wanted.into_iter().map(|meeting| (meeting.clone(), meeting == parent)).collect();
        session.may_broadcast_to(now, &peer, &wanted, &said)
    });
    judged.await??;
    let family = own_family(caller).await?;
    to.iter().try_for_each(|meeting| family.find(meeting.as_str()).map(drop))?;
    for meeting in to {
        let Some(handle) = caller.hub.find(meeting.as_str()) else { continue };
        let (peer, message) = (caller.peer.clone(), message.clone());
        handle.call(move |session, now| session.relay(now, Some(&peer), message)).await?;
    }
    Ok(Answer::Payload(Bytes::new()))
}
