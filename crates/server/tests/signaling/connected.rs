//! Connected meetings: made, entered, left and deleted, and what clients that ignore their presets may not do.

use salon_core::MeetingId;
use salon_server::config::DEV_TOKEN;
use salon_wire::event_id::room as r;
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::room as wire;
use serde_json::{Value, json};

use crate::client::{Client, NOTHING};
use crate::house::{House, Person, fresh};
use crate::http::Call;

const PERMISSIONS: &str = "/permissions/connected_meetings";

fn allowed(what: &str, yes: bool) -> (String, Value) {
    (format!("{PERMISSIONS}/{what}"), json!(yes))
}

/// Somebody with exactly these permissions about connected meetings.
async fn with(house: &House, meeting: &MeetingId, name: &str, (alter, switch, home): (bool, bool, bool)) -> Client {
    let changes = [
        allowed("can_alter_connected_meetings", alter),
        allowed("can_switch_connected_meetings", switch),
        allowed("can_switch_to_parent_meeting", home),
    ];
    let changes: Vec<(&str, Value)> = changes.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
    house.add_changed(meeting, name, &changes).await.join_with_media().await
}

fn rooms(titles: &[&str]) -> wire::CreateConnectedRoomsRequest {
    let room = |title: &&str| wire::CreateRoomRequestPayload { title: Some(title.to_string()) };
    wire::CreateConnectedRoomsRequest { payloads: titles.iter().map(room).collect() }
}

/// Makes rooms; answers with their ids.
async fn make(client: &mut Client, titles: &[&str]) -> Result<Vec<MeetingId>, String> {
    let made: wire::CreateConnectedRoomsResponse = client.ask(r::CREATE_CONNECTED_ROOMS, &rooms(titles)).await?;
    Ok(made.payloads.into_iter().map(|room| MeetingId::parse(&room.id.unwrap()).unwrap()).collect())
}

fn moving(source: &MeetingId, destination: &MeetingId, people: &[String]) -> wire::MovePeersBetweenRoomsRequest {
    let person = |id: &String| wire::MovePeerPayload { id: Some(id.clone()), preset_id: None };
    wire::MovePeersBetweenRoomsRequest {
        source_meeting_id: Some(source.to_string()),
        destination_meeting_id: Some(destination.to_string()),
        participants: people.iter().map(person).collect(),
    }
}

async fn moves(client: &mut Client, source: &MeetingId, to: &MeetingId, people: &[String]) -> Result<usize, String> {
    let moved: wire::MovePeersBetweenRoomsResponse = client.ask(r::MOVE_PEERS, &moving(source, to, people)).await?;
    Ok(moved.payloads.len())
}

/// Moves itself.
async fn goes(client: &mut Client, source: &MeetingId, to: &MeetingId) -> Result<usize, String> {
    let own = client.user();
    let moved = moves(client, source, to, &[own]).await;
    assert_eq!(client.heard_before(r::TRANSFER_PEER), 0, "the answer comes first: after the push a client listens no more");
    moved
}

fn delete(ids: &[&MeetingId]) -> wire::DisableConnectedRoomsRequest {
    let room = |id: &&MeetingId| wire::DisableRoomPayload { id: Some(id.to_string()) };
    wire::DisableConnectedRoomsRequest { payloads: ids.iter().map(room).collect() }
}

/// Goes where it is sent, as the web SDK does: leaves, and comes in there as a new peer. The person is as it was made by
/// the token.
async fn follows(mut client: Client) -> Client {
    let go: wire::TransferPeer = client.hear(r::TRANSFER_PEER).await;
    let person = client.person.clone();
    client.leave().await;
    let token = go.auth_token.unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&base64(payload)).unwrap();
    let person = Person {
        meeting: go.meeting_id.unwrap(),
        participant: claims["participantId"].as_str().unwrap().to_owned(),
        token,
        peer: fresh(),
        ..person
    };
    person.join_with_media().await
}

/// Decodes base64 as browsers do, without padding.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let bits = chunk.iter().fold(0_u32, |bits, c| bits << 6 | u32::from(value(*c))) << (6 * (4 - chunk.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    bytes
}

/// Each meeting of a dump with the names of those in it, the parent first.
fn told(dump: wire::GetConnectedRoomsDumpResponse) -> Vec<(String, Vec<String>)> {
    let names = |room: wire::ConnectedMeetingDump| {
        let mut names: Vec<String> = room.participants.into_iter().map(|who| who.display_name.unwrap()).collect();
        names.sort();
        (room.title.unwrap(), names)
    };
    [dump.parent_meeting.unwrap()].into_iter().chain(dump.meetings).map(names).collect()
}

fn expected(rooms: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    rooms.iter().map(|(title, names)| (title.to_string(), names.iter().map(ToString::to_string).collect())).collect()
}

/// Waits until it is told that people are so.
async fn sees(client: &mut Client, rooms: &[(&str, &[&str])]) {
    while told(client.hear(r::GET_CONNECTED_ROOMS_DUMP).await) != expected(rooms) {}
}

async fn rest(house: &House, path: &str) -> (u16, Value) {
    let path = format!("/client/v4/accounts/dev/realtime/kit/dev{path}");
    let call = Call::new(house.address.parse().unwrap(), "GET", &path).header("authorization", &format!("Bearer {DEV_TOKEN}"));
    let said = call.send().await;
    (said.status, said.json())
}

async fn active_session(house: &House, meeting: &MeetingId) -> Value {
    let (status, body) = rest(house, &format!("/meetings/{meeting}/active-session")).await;
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

/// Title and count of each breakout room.
fn breakouts(session: &Value) -> Vec<(String, String, u64)> {
    let room = |room: &Value| {
        let text = |key: &str| room[key].as_str().unwrap().to_owned();
        (text("meeting_display_name"), text("status"), room["live_participants"].as_u64().unwrap())
    };
    session["breakout_rooms"].as_array().map(|rooms| rooms.iter().map(room).collect()).unwrap_or_default()
}

fn counted(title: &str, status: &str, count: u64) -> (String, String, u64) {
    (title.to_owned(), status.to_owned(), count)
}

#[tokio::test]
async fn people_go_to_rooms_and_come_back_and_everyone_sees_where_they_are() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let mut gus = house.guest(&meeting, "Gus").await.join_with_media().await;
    let home = gus.person.clone();
    let alone: wire::GetConnectedRoomsDumpResponse = gus.ask(r::GET_CONNECTED_ROOMS_DUMP, NOTHING).await.unwrap();
    assert_eq!(told(alone), expected(&[("Stand-up", &["Gus", "Hanna"])]));
    assert_eq!(breakouts(&active_session(&house, &meeting).await), []);

    let made = make(&mut hanna, &["Room 1", "Room 2"]).await.unwrap();
    for client in [&mut hanna, &mut gus] {
        let told: wire::CreateConnectedRoomsResponse = client.hear(r::CONNECTED_ROOMS_UPDATED).await;
        let ids: Vec<String> = told.payloads.into_iter().map(|room| room.id.unwrap()).collect();
        assert_eq!(ids, made.iter().map(ToString::to_string).collect::<Vec<_>>());
        sees(client, &[("Stand-up", &["Gus", "Hanna"]), ("Room 1", &[]), ("Room 2", &[])]).await;
    }
    let (_, listed) = rest(&house, "/meetings").await;
    assert_eq!(listed["paging"]["total_count"], 1, "rooms are not in the list of meetings");

    assert_eq!(moves(&mut hanna, &meeting, &made[0], &[gus.user()]).await, Ok(1));
    let mut gus = follows(gus).await;
    assert_ne!(gus.user(), home.participant, "a participant of the room");
    sees(&mut hanna, &[("Stand-up", &["Hanna"]), ("Room 1", &["Gus"]), ("Room 2", &[])]).await;
    sees(&mut gus, &[("Stand-up", &["Hanna"]), ("Room 1", &["Gus"]), ("Room 2", &[])]).await;
    let session = active_session(&house, &meeting).await;
    assert_eq!(session["live_participants"], 1);
    assert_eq!(breakouts(&session), [counted("Room 1", "LIVE", 1)]);
    assert_eq!(session["breakout_rooms"][0]["associated_id"], made[0].as_str());
    assert_eq!(session["breakout_rooms"][0]["type"], "meeting");

    // Both are away: the main meeting is not over.
    assert_eq!(goes(&mut hanna, &meeting, &made[0]).await, Ok(1));
    let mut hanna = follows(hanna).await;
    sees(&mut hanna, &[("Stand-up", &[]), ("Room 1", &["Gus", "Hanna"]), ("Room 2", &[])]).await;
    let away = active_session(&house, &meeting).await;
    assert_eq!((away["live_participants"].as_u64(), &away["id"]), (Some(0), &session["id"]));
    assert_eq!(breakouts(&away), [counted("Room 1", "LIVE", 2)]);
    assert!(house.record(&house.live(&meeting).unwrap().session).await.held_open);

    // By itself, with its own permission.
    assert_eq!(goes(&mut gus, &made[0], &meeting).await, Ok(1));
    let gus = follows(gus).await;
    assert_eq!(gus.user(), home.participant, "the same participant as before");
    sees(&mut hanna, &[("Stand-up", &["Gus"]), ("Room 1", &["Hanna"]), ("Room 2", &[])]).await;
    let id = session["id"].as_str().unwrap();
    let (_, shown) = rest(&house, &format!("/sessions/{id}?include_breakout_rooms=true")).await;
    assert_eq!(breakouts(&shown["data"]), [counted("Room 1", "LIVE", 1)]);
    let (_, bare) = rest(&house, &format!("/sessions/{id}")).await;
    assert!(bare["data"].get("breakout_rooms").is_none(), "only when asked for");

    let durations = async |view: &str| {
        let (_, people) = rest(&house, &format!("/sessions/{id}/participants?view={view}&sort_order=ASC")).await;
        let people = people["data"]["participants"].as_array().unwrap().clone();
        people.iter().map(|one| one["duration"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let (raw, whole) = (durations("raw").await, durations("consolidated").await);
    assert_eq!(raw.len(), 3, "Gus came twice");
    assert!(whole[0] > raw[0] && whole[1] > raw[1], "{raw:?} {whole:?}");
}

#[tokio::test]
async fn deleting_a_room_sends_its_people_back_and_ends_its_session() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let gus = house.guest(&meeting, "Gus").await.join_with_media().await;
    let made = make(&mut hanna, &["Room 1", "Room 2"]).await.unwrap();
    moves(&mut hanna, &meeting, &made[0], &[gus.user()]).await.unwrap();
    let home = gus.user();
    let mut gus = follows(gus).await;
    sees(&mut hanna, &[("Stand-up", &["Hanna"]), ("Room 1", &["Gus"]), ("Room 2", &[])]).await;
    let session = house.live(&made[0]).unwrap().session;

    // As the UI kit closes its rooms: it moves people, by their old ids or new, and deletes before they are gone.
    for id in [&home, &gus.user()] {
        moves(&mut hanna, &made[0], &meeting, std::slice::from_ref(id)).await.unwrap();
    }
    let deleted: wire::DisableConnectedRoomsResponse = hanna.ask(r::DELETE_CONNECTED_ROOMS, &delete(&[&made[0]])).await.unwrap();
    assert_eq!(deleted.payloads[0].title.as_deref(), Some("Room 1"));
    let told: wire::DisableConnectedRoomsResponse = hanna.hear(r::CONNECTED_ROOMS_DELETED).await;
    assert_eq!(told.payloads[0].id.as_deref(), Some(made[0].as_str()));
    gus.catch_up().await;
    assert_eq!(gus.heard(r::TRANSFER_PEER).await, 1, "it is sent once");
    let gus = follows(gus).await;
    assert_eq!(gus.user(), home);
    sees(&mut hanna, &[("Stand-up", &["Gus", "Hanna"]), ("Room 2", &[])]).await;
    house.counts(&made[0], None).await;
    assert!(house.record(&session).await.ended.is_some(), "it does not wait for its keep-alive");
    assert_eq!(breakouts(&active_session(&house, &meeting).await), [counted("Room 1", "ENDED", 0)]);
    assert_eq!(rest(&house, &format!("/meetings/{}", made[0])).await.0, 404);
    // Deleting it again is deleting it.
    hanna.ask::<()>(r::DELETE_CONNECTED_ROOMS, &delete(&[&made[0]])).await.unwrap();
    assert_eq!(hanna.refused(r::DELETE_CONNECTED_ROOMS, &delete(&[&meeting])).await, "no such connected meeting");
}

#[tokio::test]
async fn what_a_preset_does_not_allow_is_refused() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let made = make(&mut hanna, &["Room 1", "Room 2"]).await.unwrap();
    let mut switcher = with(&house, &meeting, "Sam", (false, true, false)).await;
    let mut nobody = with(&house, &meeting, "Nora", (false, false, false)).await;
    let no = "the preset does not allow this";

    for client in [&mut switcher, &mut nobody] {
        assert_eq!(client.refused(r::CREATE_CONNECTED_ROOMS, &rooms(&["Room 3"])).await, no);
        assert_eq!(client.refused(r::DELETE_CONNECTED_ROOMS, &delete(&[&made[0]])).await, no);
        let other = moving(&meeting, &made[0], &[hanna.user()]);
        assert_eq!(client.refused(r::MOVE_PEERS, &other).await, no);
    }
    let own = moving(&meeting, &made[0], &[nobody.user()]);
    assert_eq!(nobody.refused(r::MOVE_PEERS, &own).await, no);
    let stronger = house.doors.store.preset_named(&crate::house::dev(), "group_call_host").await.unwrap().unwrap().id;
    let mut own = moving(&meeting, &made[0], &[switcher.user()]);
    own.participants[0].preset_id = Some(stronger.to_string());
    assert_eq!(switcher.refused(r::MOVE_PEERS, &own).await, no, "nobody chooses a preset for themselves");
    let mut own = moving(&meeting, &made[0], &[hanna.user()]);
    own.participants[0].preset_id = Some(stronger.to_string());
    assert_eq!(hanna.refused(r::MOVE_PEERS, &own).await, no);

    assert_eq!(goes(&mut switcher, &meeting, &made[0]).await, Ok(1));
    let mut switcher = follows(switcher).await;
    let back = moving(&made[0], &meeting, &[switcher.user()]);
    assert_eq!(switcher.refused(r::MOVE_PEERS, &back).await, no);

    // Who may go nowhere is not told who is there.
    let seen: wire::GetConnectedRoomsDumpResponse = nobody.ask(r::GET_CONNECTED_ROOMS_DUMP, NOTHING).await.unwrap();
    assert!(seen.meetings.iter().all(|room| room.participants.is_empty()), "{seen:?}");
    let seen: wire::GetConnectedRoomsDumpResponse = hanna.ask(r::GET_CONNECTED_ROOMS_DUMP, NOTHING).await.unwrap();
    assert_eq!(seen.meetings[0].participants.len(), 1);
}

#[tokio::test]
async fn a_family_ends_where_the_next_begins() {
    let house = House::open().await;
    let (ours, theirs) = (house.meeting().await, house.meeting().await);
    let mut hanna = house.host(&ours, "Hanna").await.join_with_media().await;
    let mut olga = house.host(&theirs, "Olga").await.join_with_media().await;
    let our_room = make(&mut hanna, &["Room 1"]).await.unwrap().remove(0);
    let their_room = make(&mut olga, &["Their room"]).await.unwrap().remove(0);
    let none = "no such connected meeting";
    for (source, to) in [(&ours, &their_room), (&theirs, &our_room), (&theirs, &their_room), (&their_room, &ours)] {
        assert_eq!(hanna.refused(r::MOVE_PEERS, &moving(source, to, &[olga.user()])).await, none);
    }
    assert_eq!(hanna.refused(r::DELETE_CONNECTED_ROOMS, &delete(&[&their_room])).await, none);
    let message = wire::BroadcastMessage {
        r#type: "hello".to_owned(),
        payload: b"{}".to_vec(),
        ids: vec![their_room.to_string()],
        broadcast_type: Some(wire::BroadcastType::Rooms as i32),
        ..wire::BroadcastMessage::default()
    };
    assert_eq!(hanna.refused(r::BROADCAST_TO_ENTITY, &message).await, none);
    assert_eq!(hanna.refused(r::MOVE_PEERS, &moving(&ours, &our_room, &[olga.user()])).await, "no such peer in this session");
    assert!(hanna.refused(r::MOVE_PEERS, &moving(&ours, &ours, &[hanna.user()])).await.contains("from one"));
    assert_eq!(hanna.refused(r::CREATE_CONNECTED_ROOMS, &rooms(&[" "])).await, "a connected meeting needs a title");
    make(&mut hanna, &["Room"; 99]).await.unwrap();
    assert_eq!(make(&mut hanna, &["One more"]).await, Err("the limit of this session is reached".to_owned()));
    let mut gus = moving(&ours, &our_room, &[hanna.user()]);
    gus.participants[0].id = Some(house.guest(&ours, "Gus").await.participant);
    gus.participants[0].preset_id = Some(fresh());
    assert_eq!(hanna.refused(r::MOVE_PEERS, &gus).await, "no such peer in this session");
}

#[tokio::test]
async fn a_message_reaches_the_meetings_it_is_for() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let gus = house.guest(&meeting, "Gus").await.join_with_media().await;
    let mut nora = with(&house, &meeting, "Nora", (false, false, false)).await;
    let made = make(&mut hanna, &["Room 1", "Room 2"]).await.unwrap();
    moves(&mut hanna, &meeting, &made[0], &[gus.user()]).await.unwrap();
    let mut gus = follows(gus).await;
    let to = |ids: &[&MeetingId]| wire::BroadcastMessage {
        r#type: "five minutes".to_owned(),
        payload: b"{\"left\":5}".to_vec(),
        timestamp: 7,
        ids: ids.iter().map(ToString::to_string).collect(),
        broadcast_type: Some(wire::BroadcastType::Rooms as i32),
    };
    hanna.ask::<()>(r::BROADCAST_TO_ENTITY, &to(&[&made[0], &made[1]])).await.unwrap();
    let heard: wire::BroadcastMessage = gus.hear(r::BROADCAST_MESSAGE).await;
    assert_eq!((heard.r#type.as_str(), heard.payload.as_slice()), ("five minutes", b"{\"left\":5}".as_slice()));
    assert_eq!(nora.heard(r::BROADCAST_MESSAGE).await, 0, "it was not for the main meeting");
    assert_eq!(nora.refused(r::BROADCAST_TO_ENTITY, &to(&[&made[0]])).await, "the preset does not allow this");
    for _ in 0..4 {
        hanna.ask::<()>(r::BROADCAST_TO_ENTITY, &to(&[&made[0]])).await.unwrap();
    }
    assert!(hanna.refused(r::BROADCAST_TO_ENTITY, &to(&[&made[0]])).await.contains("too many"));
}

#[tokio::test]
async fn somebody_moved_by_a_host_does_not_wait_and_a_stranger_does() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let gina = house.add(&meeting, "Gina", "group_call_guest").await;
    let mut waiting = gina.connect().await;
    assert!(waiting.join().await.unwrap().waitlisted);
    let admit = wire::AcceptWaitingRoomRequests { user_ids: vec![waiting.user()] };
    hanna.tell(r::ACCEPT_WAITING_ROOM_REQUESTS, &admit).await;
    waiting.hear::<()>(r::WAITING_ROOM_REQUEST_ACCEPTED).await;
    assert!(!waiting.join().await.unwrap().waitlisted);
    waiting.complete_join().await;
    let room = make(&mut hanna, &["Room 1"]).await.unwrap().remove(0);
    moves(&mut hanna, &meeting, &room, &[waiting.user()]).await.unwrap();
    let mut there = follows(waiting).await;
    assert_eq!(there.roster().await.len(), 1, "she is in");
    let person = there.person.clone();
    there.leave().await;
    // The token of a later day is as any other.
    let admission = house.doors.store.admission(&salon_core::ParticipantId::parse(&person.participant).unwrap()).await;
    let preset = admission.unwrap().unwrap().participant.preset;
    let bearer = house.doors.tokens.verify(&person.token, house.doors.clock.now()).unwrap();
    let old = salon_doors::tokens::Bearer { let_in_until: Some(salon_core::Timestamp(1)), ..bearer };
    let token = house.doors.tokens.sign(&old, &preset, house.doors.clock.now());
    house
        .doors
        .hub
        .find(room.as_str())
        .unwrap()
        .call(|session, now| session.kick_all(now, &salon_core::event::Actor::Api))
        .await
        .unwrap()
        .unwrap();
    let mut late = Person { token, peer: fresh(), ..person }.connect().await;
    assert!(late.join().await.unwrap().waitlisted);
}

#[tokio::test]
async fn ending_the_meeting_ends_its_rooms() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let gus = house.guest(&meeting, "Gus").await.join_with_media().await;
    let room = make(&mut hanna, &["Room 1"]).await.unwrap().remove(0);
    moves(&mut hanna, &meeting, &room, &[gus.user()]).await.unwrap();
    let mut gus = follows(gus).await;
    hanna.tell(r::KICK_ALL, &edge::KickAllPeersRequest { propagate_kick_across_rooms: true }).await;
    hanna.hear::<()>(r::KICK_ALL).await;
    gus.hear::<()>(r::KICK_ALL).await;
    house.counts(&room, None).await;
    assert_eq!(house.live(&meeting), None);
}

#[tokio::test]
async fn a_new_title_is_told_and_a_deleted_participant_is_out_of_all_rooms() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let gus = house.guest(&meeting, "Gus").await.join_with_media().await;
    let home = gus.user();
    let room = make(&mut hanna, &["Room 1"]).await.unwrap().remove(0);
    hanna.hear::<()>(r::CONNECTED_ROOMS_UPDATED).await;
    let kit = "/client/v4/accounts/dev/realtime/kit/dev";
    let call = |method: &'static str, path: String| {
        Call::new(house.address.parse().unwrap(), method, &path).header("authorization", &format!("Bearer {DEV_TOKEN}"))
    };
    let patched = call("PATCH", format!("{kit}/meetings/{room}")).json(&json!({ "title": "Quiet room" })).send().await;
    assert_eq!(patched.status, 200);
    let told: wire::CreateConnectedRoomsResponse = hanna.hear(r::CONNECTED_ROOMS_UPDATED).await;
    assert_eq!(told.payloads[0].title.as_deref(), Some("Quiet room"));

    moves(&mut hanna, &meeting, &room, &[gus.user()]).await.unwrap();
    let mut gus = follows(gus).await;
    let person = gus.person.clone();
    assert_eq!(call("DELETE", format!("{kit}/meetings/{meeting}/participants/{home}")).send().await.status, 200);
    gus.hear::<()>(r::KICK).await;
    assert_eq!(Client::connect(&Person { peer: fresh(), ..person }).await.err(), Some(401), "no token of theirs opens a door");
}

#[tokio::test]
async fn rooms_and_those_in_them_survive_a_restart() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut hanna = house.host(&meeting, "Hanna").await.join_with_media().await;
    let room = make(&mut hanna, &["Room 1"]).await.unwrap().remove(0);
    goes(&mut hanna, &meeting, &room).await.unwrap();
    let hanna = follows(hanna).await;
    let session = active_session(&house, &meeting).await["id"].clone();
    let person = hanna.vanish();
    let house = house.restart().await;
    let mut hanna = person.at(&house.address).join_with_media().await;
    sees(&mut hanna, &[("Stand-up", &[]), ("Room 1", &["Hanna"])]).await;
    let after = active_session(&house, &meeting).await;
    assert_eq!(after["id"], session);
    assert_eq!(breakouts(&after), [counted("Room 1", "LIVE", 1)]);
}
