//! Connected meetings (breakout rooms): listing, making, deleting, moving people, and messages to other meetings.
//! Invariant: only meetings of the caller's own family are touched, and a moved person gets a token for the one meeting
//! they are sent to.
//! Next: `salon_core::session`, `connected.rs`, which judges; `hub/families.rs`, which tells everyone.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::event::Actor;
use salon_core::limits::{MAX_BROADCAST_IDS, MAX_CONNECTED_MEETINGS, MAX_MOVED};
use salon_core::session::{ConnectedNews, ConnectedView, Move, PersonView, Refusal, RoomView, Ticket};
use salon_core::{MeetingId, ParticipantId, PresetId, Session, Timestamp};
use salon_live::Handle;
use salon_store::{Brought, Meeting, Participant};
use salon_wire::event_id::room as r;
use salon_wire::signaling::socket::room as wire;

use crate::app::App;
use crate::rest::path::fresh_id;
use crate::signaling::{Answer, Caller, Trouble, answer, room};
use crate::token::Bearer;

/// How long a moved person need not wait at the door, in milliseconds. A client comes within seconds; after that the token
/// is as any other.
const LET_IN_FOR_MS: i64 = 10 * 60_000;

/// When somebody was moved whose token lets them in until then.
pub(super) fn moved_at(let_in_until: Timestamp) -> Timestamp {
    let_in_until.plus_ms(-LET_IN_FOR_MS)
}

/// A host who closes the room it is in moves everyone out first, itself included, and only then asks for the deletion
/// (seen in web SDK 2.0.2): it is sent on after this. Lower loses that request on slow lines and machines.
const HOST_LEAVES_AFTER: Duration = Duration::from_secs(1);

/// A meeting and those made in it.
struct Family {
    parent: Meeting,
    rooms: Vec<Meeting>,
}

impl Family {
    async fn of(caller: &Caller) -> Result<Self, Trouble> {
        let facts = caller.handle.call(|session, _| session.facts().clone()).await?;
        let parent = facts.parent.map_or(facts.meeting, |parent| parent.meeting);
        let store = &caller.app.store;
        let parent = store.meeting_of(&parent).await?.ok_or(Refusal::UnknownMeeting)?;
        let rooms = store.connected_meetings(&parent.id).await?;
        Ok(Self { parent, rooms })
    }

    fn find(&self, id: &str) -> Result<&Meeting, Trouble> {
        let all = [&self.parent].into_iter().chain(&self.rooms);
        Ok(all.into_iter().find(|meeting| meeting.id.as_str() == id).ok_or(Refusal::UnknownMeeting)?)
    }
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
    let view = match caller.app.hub.family_of(&facts) {
        Some(parent) => caller.app.hub.connected_view(&parent).await?,
        None => {
            let alone = RoomView { id: facts.meeting.clone(), title: facts.title, people };
            Arc::new(ConnectedView { parent: alone, meetings: Vec::new() })
        }
    };
    match sees_others {
        true => answer(&dump(&view)),
        false => answer(&dump(&view.from_inside(&facts.meeting))),
    }
}

/// Makes meetings connected with the caller's own, or with its parent.
pub async fn create(caller: &Caller, request: wire::CreateConnectedRoomsRequest) -> Result<Answer, Trouble> {
    let titles: Vec<String> = request.payloads.into_iter().map(|room| room.title.unwrap_or_default()).collect();
    let (peer, wanted) = (caller.peer.clone(), titles.clone());
    caller.handle.call(move |session, now| session.may_create_connected(now, &peer, &wanted)).await??;
    let app = &caller.app;
    let Family { parent, .. } = Family::of(caller).await?;
    let now = app.clock.now();
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
    if !app.store.create_connected_meetings(&parent.id, &rooms, MAX_CONNECTED_MEETINGS).await? {
        return Err(Refusal::Full.into());
    }
    let made: Vec<_> = rooms.into_iter().map(|room| (room.id, room.title.unwrap_or_default())).collect();
    app.hub.note_family(&parent.id);
    let answered = answer(&changed(&made));
    app.hub.tell_family(&parent.id, ConnectedNews::Changed(Arc::new(made))).await?;
    answered
}

/// Deletes connected meetings. Deleting one twice is deleting it.
pub async fn delete(caller: &Caller, request: wire::DisableConnectedRoomsRequest) -> Result<Answer, Trouble> {
    let (peer, count) = (caller.peer.clone(), request.payloads.len());
    caller.handle.call(move |session, now| session.may_alter_connected(now, &peer, count)).await??;
    let app = &caller.app;
    let Family { parent, .. } = Family::of(caller).await?;
    let ids: Vec<String> = request.payloads.into_iter().map(|room| room.id.unwrap_or_default()).collect();
    let known: Vec<MeetingId> = ids.iter().filter_map(|id| MeetingId::parse(id).ok()).collect();
    let deleted = app.store.delete_connected_meetings(&parent.id, &known, app.clock.now()).await?;
    if deleted.is_empty() {
        return Err(Refusal::UnknownMeeting.into());
    }
    let gone: Vec<_> = deleted.iter().map(|room| (room.id.clone(), room.title.clone().unwrap_or_default())).collect();
    app.hub.tell_family(&parent.id, ConnectedNews::Deleted(Arc::new(gone.clone()))).await?;
    let (own, others): (Vec<_>, Vec<_>) = deleted.iter().partition(|room| room.id == caller.meeting);
    for room in others {
        send_home(app, &parent, room).await?;
    }
    let unknown = ids.into_iter().filter(|id| !gone.iter().any(|(known, _)| known.as_str() == id));
    let unknown = unknown.map(|id| wire::DisableConnectedRoomPayload {
        id: Some(id),
        error: Some(wire::ServiceError { message: Some(Refusal::UnknownMeeting.to_string()), code: None }),
        ..wire::DisableConnectedRoomPayload::default()
    });
    let mut payloads = no_more(&gone).payloads;
    payloads.extend(unknown);
    let payload = wire::DisableConnectedRoomsResponse { payloads }.encode_to_vec().into();
    let Some(room) = own.first() else { return Ok(Answer::Payload(payload)) };
    let act = Box::new(way_home(app, &parent, room, &caller.handle).await?);
    Ok(Answer::Then { payload, after: Duration::ZERO, act })
}

/// Those in a deleted meeting go to its parent, and its session ends with the last of them.
pub async fn send_home(app: &App, parent: &Meeting, room: &Meeting) -> Result<(), Trouble> {
    let Some(handle) = app.hub.find(room.id.as_str()) else { return Ok(()) };
    let act = way_home(app, parent, room, &handle).await?;
    Ok(handle.call(act).await?)
}

/// What sends everyone home.
async fn way_home(
    app: &App,
    parent: &Meeting,
    room: &Meeting,
    handle: &Handle,
) -> Result<impl FnOnce(&mut Session, Timestamp) + Send + 'static, Trouble> {
    let everyone = handle.call(|session, _| session.everyone()).await?;
    let people = everyone.into_iter().map(|person| (person, None)).collect();
    let tickets = match tickets(app, (room, handle), parent, people, true).await {
        Ok((_, tickets)) => tickets,
        // Nobody is in, all are on the way, or the parent takes nobody: then they are put out.
        Err(Trouble::Refused(Refusal::UnknownPeer | Refusal::OnTheWay | Refusal::MeetingInactive)) => Vec::new(),
        Err(trouble) => return Err(trouble),
    };
    let to = parent.id.clone();
    Ok(move |session: &mut Session, now| {
        session.send_on(now, &to, &tickets);
        session.close_deleted(now);
    })
}

/// Sends people from one connected meeting to another. The client takes the answer for a failure if the word `error` is
/// anywhere in its bytes (seen in web SDK 2.0.2).
pub async fn move_people(caller: &Caller, request: wire::MovePeersBetweenRoomsRequest) -> Result<Answer, Trouble> {
    if request.participants.len() > MAX_MOVED {
        return Err(Refusal::TooLarge.into());
    }
    let app = &caller.app;
    let family = Family::of(caller).await?;
    let source = family.find(request.source_meeting_id())?;
    let destination = family.find(request.destination_meeting_id())?;
    if source.id == destination.id || request.participants.is_empty() {
        return Err(Trouble::Malformed("people are moved from one meeting to another"));
    }
    let mut people: Vec<(ParticipantId, Option<PresetId>)> = Vec::with_capacity(request.participants.len());
    for person in request.participants {
        let id = room::participant_ids(&[person.id.unwrap_or_default()])?.remove(0);
        let preset = person.preset_id.filter(|preset| !preset.is_empty()).map(|preset| PresetId::parse(&preset));
        let preset = preset.transpose().map_err(|_| Trouble::Malformed("a preset id is not an id"))?;
        if !people.iter().any(|(known, _)| *known == id) {
            people.push((id, preset));
        }
    }
    let wish = Move {
        source: source.id.clone(),
        destination: destination.id.clone(),
        to_parent: destination.id == family.parent.id,
        people: people.iter().map(|(id, _)| id.clone()).collect(),
        changes_presets: people.iter().any(|(_, preset)| preset.is_some()),
    };
    let peer = caller.peer.clone();
    let let_in = caller.handle.call(move |session, now| session.may_move(now, &peer, &wish)).await??;
    let handle = app.hub.find(source.id.as_str()).ok_or(Refusal::UnknownPeer)?;
    let (moved, tickets) = tickets(app, (source, &handle), destination, people, let_in).await?;
    let payloads = moved.into_iter().map(|person| wire::MovedPeer {
        meeting_id: Some(destination.id.to_string()),
        custom_participant_id: Some(person.custom_participant_id).filter(|id| !id.contains("error")),
        error: None,
    });
    let payload = wire::MovePeersBetweenRoomsResponse { payloads: payloads.collect() }.encode_to_vec().into();
    let is_own = |(participant, _): &(ParticipantId, Ticket)| source.id == caller.meeting && *participant == caller.participant;
    let (own, others): (Vec<_>, Vec<_>) = tickets.into_iter().partition(is_own);
    let to = destination.id.clone();
    handle.call(move |session, now| session.send_on(now, &to, &others)).await?;
    // A client that is told to go closes its socket, and would wait in vain for this answer and what it asks next.
    let to = destination.id.clone();
    // Who goes home and need not be let in is one who may alter.
    let after = if destination.id == family.parent.id && let_in { HOST_LEAVES_AFTER } else { Duration::ZERO };
    Ok(Answer::Then { payload, after, act: Box::new(move |session, now| session.send_on(now, &to, &own)) })
}

/// Gives people a participant and a token in `destination`, with which they are then sent on. Answers with who they are.
async fn tickets(
    app: &App,
    (source, handle): (&Meeting, &Handle),
    destination: &Meeting,
    people: Vec<(ParticipantId, Option<PresetId>)>,
    let_in: bool,
) -> Result<(Vec<PersonView>, Vec<(ParticipantId, Ticket)>), Trouble> {
    if !destination.active {
        return Err(Refusal::MeetingInactive.into());
    }
    let people = named_here(app, source, handle, people).await?;
    let (ids, to): (Vec<_>, _) = (people.iter().map(|(id, _)| id.clone()).collect(), destination.id.clone());
    let movable = handle.call(move |session, now| session.movable(now, &ids, &to)).await??;
    let mut brought = Vec::with_capacity(movable.len());
    for person in &movable {
        // Whoever is being deleted this moment may have no row any more.
        let Some(row) = app.store.participant(&source.id, &person.participant).await? else { continue };
        let preset = people.iter().find(|(id, _)| *id == person.participant).and_then(|(_, preset)| preset.clone());
        brought.push(Brought { from: row.participant, preset, fresh_id: fresh_id() });
    }
    let now = app.clock.now();
    let there = app.store.bring(&destination.id, &brought, now).await.map_err(|error| match error {
        salon_store::Error::NotFound => Trouble::Malformed("there is no such preset"),
        error => error.into(),
    })?;
    let tickets = brought.iter().zip(&there).map(|(brought, there)| {
        let until = let_in.then(|| now.plus_ms(LET_IN_FOR_MS));
        (brought.from.id.clone(), ticket(app, there, until, now))
    });
    let tickets = tickets.collect();
    Ok((movable, tickets))
}

fn ticket(app: &App, participant: &Participant, let_in_until: Option<Timestamp>, now: Timestamp) -> Ticket {
    let bearer = Bearer {
        app: participant.app.clone(),
        meeting: participant.meeting.clone(),
        participant: participant.id.clone(),
        let_in_until,
    };
    Ticket(app.tokens.sign(&bearer, &participant.preset, now))
}

/// The people as they are called in `source`. A client that moved somebody goes by their old id until it is told of the
/// new one (seen in web SDK 2.0.2).
async fn named_here(
    app: &App,
    source: &Meeting,
    handle: &Handle,
    mut people: Vec<(ParticipantId, Option<PresetId>)>,
) -> Result<Vec<(ParticipantId, Option<PresetId>)>, Trouble> {
    let here = handle.call(|session, _| session.everyone()).await?;
    for (id, _) in &mut people {
        if here.binary_search(id).is_err()
            && let Some(stand_in) = app.store.person_in(&source.id, id).await?
        {
            *id = stand_in.id;
        }
    }
    Ok(people)
}

/// Passes a message on to the meetings named.
pub async fn broadcast(caller: &Caller, request: wire::BroadcastMessage) -> Result<Answer, Trouble> {
    if request.ids.len() > MAX_BROADCAST_IDS {
        return Err(Refusal::TooLarge.into());
    }
    let family = Family::of(caller).await?;
    let mut to: Vec<(MeetingId, bool)> = Vec::new();
    for id in &request.ids {
        let meeting = family.find(id)?;
        if !to.iter().any(|(known, _)| *known == meeting.id) {
            to.push((meeting.id.clone(), meeting.id == family.parent.id));
        }
    }
    let message = room::message(request);
    let (peer, wanted, said) = (caller.peer.clone(), to.clone(), message.clone());
    caller.handle.call(move |session, now| session.may_broadcast_to(now, &peer, &wanted, &said)).await??;
    for (meeting, _) in to {
        let Some(handle) = caller.app.hub.find(meeting.as_str()) else { continue };
        let (peer, message) = (caller.peer.clone(), message.clone());
        handle.call(move |session, now| session.relay(now, Some(&peer), message)).await?;
    }
    Ok(Answer::Payload(Bytes::new()))
}

/// Ends the sessions of a family but for one.
pub async fn end_others(app: &App, parent: &MeetingId, but: &MeetingId) -> Result<usize, Trouble> {
    let rooms = app.store.connected_meetings(parent).await?.into_iter().map(|room| room.id);
    let mut kicked = 0;
    for meeting in [parent.clone()].into_iter().chain(rooms).filter(|meeting| meeting != but) {
        let Some(handle) = app.hub.find(meeting.as_str()) else { continue };
        kicked += handle.call(|session, now| session.kick_all(now, &Actor::Api)).await?.unwrap_or(0);
    }
    Ok(kicked)
}

/// The push of a piece of news: its event and payload.
pub fn push(news: &ConnectedNews) -> (u32, Vec<u8>) {
    match news {
        ConnectedNews::Rooms(view) => (r::GET_CONNECTED_ROOMS_DUMP, dump(view).encode_to_vec()),
        ConnectedNews::Changed(rooms) => (r::CONNECTED_ROOMS_UPDATED, changed(rooms).encode_to_vec()),
        ConnectedNews::Deleted(rooms) => (r::CONNECTED_ROOMS_DELETED, no_more(rooms).encode_to_vec()),
        ConnectedNews::Go { meeting, ticket } => {
            let go = wire::TransferPeer { meeting_id: Some(meeting.to_string()), auth_token: Some(ticket.0.clone()) };
            (r::TRANSFER_PEER, go.encode_to_vec())
        }
    }
}

fn dump(view: &ConnectedView) -> wire::GetConnectedRoomsDumpResponse {
    let person = |person: &PersonView| wire::ConnectedMeetingPeer {
        id: Some(person.participant.to_string()),
        display_name: Some(person.name.clone()),
        custom_participant_id: Some(person.custom_participant_id.clone()),
        preset_id: Some(person.preset.to_string()),
        display_picture_url: person.picture.clone(),
    };
    let room = |room: &RoomView| wire::ConnectedMeetingDump {
        id: Some(room.id.to_string()),
        title: Some(room.title.clone()),
        participants: room.people.iter().map(person).collect(),
    };
    wire::GetConnectedRoomsDumpResponse {
        parent_meeting: Some(room(&view.parent)),
        meetings: view.meetings.iter().map(room).collect(),
    }
}

fn changed(rooms: &[(MeetingId, String)]) -> wire::CreateConnectedRoomsResponse {
    let room = |(id, title): &(MeetingId, String)| wire::CreateRoomResponsePayload {
        id: Some(id.to_string()),
        title: Some(title.clone()),
        error: None,
    };
    wire::CreateConnectedRoomsResponse { payloads: rooms.iter().map(room).collect() }
}

fn no_more(rooms: &[(MeetingId, String)]) -> wire::DisableConnectedRoomsResponse {
    let room = |(id, title): &(MeetingId, String)| wire::DisableConnectedRoomPayload {
        id: Some(id.to_string()),
        // What REST calls a meeting that accepts nobody.
        status: Some("INACTIVE".to_owned()),
        title: Some(title.clone()),
        error: None,
    };
    wire::DisableConnectedRoomsResponse { payloads: rooms.iter().map(room).collect() }
}
