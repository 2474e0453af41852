//! The waiting room: who waits hears and sees nothing, and comes in only when somebody who may says so.

use std::time::Duration;

use salon_core::{MeetingId, ParticipantId, PresetId, Timestamp};
use salon_doors::tokens::Bearer;
use salon_wire::event_id::{self, media, room};
use salon_wire::signaling::socket::polls;
use salon_wire::signaling::socket::room as wire;
use serde_json::json;

use crate::client::{Client, NOTHING};
use crate::house::{House, Person, dev};

async fn list(client: &mut Client) -> Vec<String> {
    let list: wire::GetWaitingRoomRequests = client.hear(room::GET_WAITING_ROOM_REQUESTS).await;
    list.requests.into_iter().map(|request| request.display_name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_comes_in_when_admitted() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    let mut other = house.guest(&meeting, "Other").await.join().await;
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    let mut will = house.add(&meeting, "Will", "group_call_guest").await.connect().await;

    assert!(wanda.join().await.unwrap().waitlisted);
    assert_eq!(list(&mut host).await, ["Wanda"]);
    assert!(will.join().await.unwrap().waitlisted);
    assert_eq!(list(&mut host).await, ["Wanda", "Will"], "the whole list on every change");
    host.tell(room::GET_WAITING_ROOM_REQUESTS, NOTHING).await;
    assert_eq!(list(&mut host).await, ["Wanda", "Will"]);
    assert_eq!(house.count(&meeting), Some(2), "who waits is not counted");
    assert_eq!(other.roster().await.len(), 2, "nor seen");
    let poll = polls::NewPollRequest {
        question: "?".to_owned(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        ..polls::NewPollRequest::default()
    };
    host.tell(event_id::polls::CREATE_POLL, &poll).await;
    host.hear::<()>(event_id::polls::CREATE_POLL).await;
    // Its client asks for these and takes a refusal for a failed join; the answers say nothing of who is in.
    let peers: wire::RoomPeersInfoResponse = wanda.ask(room::GET_ROOM_PEERS_INFO, NOTHING).await.unwrap();
    assert_eq!(peers.peers, []);
    let info: wire::RoomInfoResponse = wanda.ask(room::GET_ROOM_INFO, NOTHING).await.unwrap();
    assert_eq!(info.room.unwrap().room_uuid, None);
    let asked: polls::GetPollsResponse = wanda.ask(event_id::polls::GET_POLLS, NOTHING).await.unwrap();
    assert_eq!(asked.polls, []);
    for event in [media::SELF_JOIN_COMPLETE, room::GET_CONNECTED_ROOMS_DUMP] {
        assert_eq!(wanda.refused(event, NOTHING).await, "join the meeting first");
    }
    other
        .tell(room::BROADCAST_MESSAGE, &wire::BroadcastMessage { r#type: "x".to_owned(), ..wire::BroadcastMessage::default() })
        .await;
    other.catch_up().await;
    assert_eq!(wanda.heard(room::BROADCAST_MESSAGE).await, 0, "nor told anything");

    host.tell(room::ACCEPT_WAITING_ROOM_REQUESTS, &wire::AcceptWaitingRoomRequests { user_ids: vec![wanda.user()] }).await;
    wanda.hear::<()>(room::WAITING_ROOM_REQUEST_ACCEPTED).await;
    assert!(!wanda.join().await.unwrap().waitlisted);
    assert_eq!(list(&mut host).await, ["Will"]);
    host.tell(room::DENY_WAITING_ROOM_REQUESTS, &wire::DenyWaitingRoomRequests { user_ids: vec![will.user()] }).await;
    will.hear::<()>(room::WAITING_ROOM_REQUEST_DENIED).await;
    assert!(list(&mut host).await.is_empty());
    assert_eq!(house.count(&meeting), Some(3));

    let wanda = wanda.vanish();
    house.counts(&meeting, Some(2)).await;
    assert!(!wanda.on_another_device().connect().await.join().await.unwrap().waitlisted, "once admitted, always");
    assert!(will.join().await.unwrap().waitlisted, "once denied, one may ask again");
}

/// What happened to somebody at the entrance, once so much has: it is written down a second later.
async fn at_entrance(house: &House, meeting: &MeetingId, person: &str, count: usize) -> Vec<&'static str> {
    loop {
        let comers = house.doors.store.entrance(meeting, 500).await.unwrap();
        let mut of: Vec<_> =
            comers.iter().filter(|comer| comer.who.as_ref().is_some_and(|(name, _)| name.as_deref() == Some(person))).collect();
        if of.iter().map(|comer| comer.happened.times).sum::<u64>() >= count as u64 {
            of.sort_by_key(|comer| comer.happened.first_at);
            return of.into_iter().map(|comer| comer.happened.what.name()).collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_and_was_not_let_straight_in_is_known_afterwards() {
    let house = House::with(|config| config.limits.peers_per_session = 3).await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    let mut will = house.add(&meeting, "Will", "group_call_guest").await.connect().await;
    for (guest, name) in [(&mut wanda, "Wanda"), (&mut will, "Will")] {
        assert!(guest.join().await.unwrap().waitlisted);
        // Asking again is nothing new.
        assert!(guest.join().await.unwrap().waitlisted);
        assert_eq!(list(&mut host).await.last().map(String::as_str), Some(name));
    }
    host.tell(room::ACCEPT_WAITING_ROOM_REQUESTS, &wire::AcceptWaitingRoomRequests { user_ids: vec![wanda.user()] }).await;
    wanda.hear::<()>(room::WAITING_ROOM_REQUEST_ACCEPTED).await;
    assert!(!wanda.join().await.unwrap().waitlisted);
    host.tell(room::DENY_WAITING_ROOM_REQUESTS, &wire::DenyWaitingRoomRequests { user_ids: vec![will.user(), wanda.user()] })
        .await;
    will.hear::<()>(room::WAITING_ROOM_REQUEST_DENIED).await;
    will.vanish();
    assert_eq!(at_entrance(&house, &meeting, "Wanda", 2).await, ["waits", "let_in"]);
    assert_eq!(at_entrance(&house, &meeting, "Will", 2).await, ["waits", "denied"]);
    for (name, on_purpose) in [("Gone", true), ("Lost", false)] {
        let mut guest = house.add(&meeting, name, "group_call_guest").await.connect().await;
        guest.join().await.unwrap();
        if on_purpose {
            guest.leave().await;
        } else {
            guest.vanish();
        }
        assert_eq!(at_entrance(&house, &meeting, name, 2).await, ["waits", "went_away"], "{name}");
    }
    let _third = house.guest(&meeting, "Third").await.join().await;
    house.guest(&meeting, "Late").await.connect().await.join().await.unwrap_err();
    assert_eq!(at_entrance(&house, &meeting, "Late", 1).await, ["full"]);
    house.set_active(&meeting, false).await;
    house.guest(&meeting, "Later").await.connect().await.join().await.unwrap_err();
    assert_eq!(at_entrance(&house, &meeting, "Later", 1).await, ["inactive"]);
    let old = house.guest(&meeting, "Old").await;
    let bearer = Bearer {
        app: dev(),
        meeting: meeting.clone(),
        participant: ParticipantId::parse(&old.participant).unwrap(),
        let_in_until: None,
        recording: None,
    };
    let long_ago = Timestamp(house.doors.clock.now().0 - 101 * 86_400_000);
    let token = house.doors.tokens.sign(&bearer, &PresetId::parse("p").unwrap(), long_ago);
    assert_eq!(Client::connect(&Person { token, ..old }).await.err(), Some(401));
    assert_eq!(at_entrance(&house, &meeting, "Old", 1).await, ["token_expired"]);
    // Who came straight in did not stand there, and nor did a stranger.
    let stranger = house.guest(&meeting, "Stranger").await;
    assert_eq!(Client::connect(&Person { token: "x".to_owned(), ..stranger }).await.err(), Some(401));
    let gone = house.guest(&meeting, "Nobody").await;
    let nobody = ParticipantId::parse(&gone.participant).unwrap();
    house.doors.store.delete_participant(&meeting, &nobody).await.unwrap();
    assert_eq!(Client::connect(&gone).await.err(), Some(401));
    let of_nobody = loop {
        let comers = house.doors.store.entrance(&meeting, 500).await.unwrap();
        if let Some(comer) = comers.iter().find(|comer| comer.happened.participant == nobody) {
            assert!(!comers.iter().any(|comer| comer.who.as_ref().is_some_and(|(name, _)| name.as_deref() == Some("Stranger"))));
            break comer.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((of_nobody.happened.what.name(), of_nobody.who), ("no_participant", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_waiting_leaves_the_list() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    for on_purpose in [true, false] {
        let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
        wanda.join().await.unwrap();
        assert_eq!(list(&mut host).await, ["Wanda"]);
        if on_purpose {
            wanda.leave().await;
        } else {
            wanda.vanish();
        }
        assert!(list(&mut host).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn some_wait_only_until_a_host_is_there() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let patient = [
        ("/permissions/waiting_room_type", json!("ON_PRIVILEGED_USER_ENTRY")),
        ("/permissions/accept_waiting_requests", json!(false)),
    ];
    let mut early = house.add_changed(&meeting, "Early", &patient).await.connect().await;
    assert!(early.join().await.unwrap().waitlisted);
    assert_eq!(house.live(&meeting), None, "nobody is in yet");
    let _host = house.host(&meeting, "Host").await.join().await;
    early.hear::<()>(room::WAITING_ROOM_REQUEST_ACCEPTED).await;
    assert!(!early.join().await.unwrap().waitlisted);
    assert_eq!(house.count(&meeting), Some(2));
}
