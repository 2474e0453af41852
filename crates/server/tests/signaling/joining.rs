//! Coming in and going out, in the order and with the answers that the web SDK needs.

use std::time::{Duration, Instant};

use salon_core::PeerId;
use salon_wire::event_id::{chat, media, plugins, polls, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::{plugin, room as wire};

use crate::client::NOTHING;
use crate::house::{House, PATIENCE};

const ON_STAGE: Option<i32> = Some(wire::StageType::OnStage as i32);

#[tokio::test(flavor = "multi_thread")]
async fn before_joining_a_client_is_answered_but_neither_counted_nor_seen() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut alice = house.guest(&meeting, "Alice").await.connect().await;

    let early = edge::PeerJoinRequest { room_uuid: meeting.to_string(), ..edge::PeerJoinRequest::default() };
    alice.ask::<edge::PeerJoinResponse>(media::JOIN_ROOM, &early).await.unwrap();
    let (send, receive) = (alice.open_transport(false).await.unwrap(), alice.open_transport(true).await.unwrap());
    assert_ne!(send, receive);
    let store = plugin::PluginStoreGetKeysRequest {
        plugin_id: meeting.to_string(),
        store_name: "__rtk_plugins__".to_owned(),
        get_keys: Vec::new(),
    };
    let empty: plugin::PluginStoreResponse = alice.ask(plugins::STORE_GET_KEYS, &store).await.unwrap();
    assert_eq!((empty.plugin_id, empty.store_name, empty.store_items), (store.plugin_id, store.store_name, vec![]));

    for (event, what) in [
        (room::GET_ROOM_INFO, "the room"),
        (room::GET_ROOM_PEERS_INFO, "the people"),
        (media::SELF_JOIN_COMPLETE, "media"),
        (room::GET_CONNECTED_ROOMS_DUMP, "breakout rooms"),
    ] {
        assert_eq!(alice.refused(event, NOTHING).await, "join the meeting first", "{what}");
    }
    assert_eq!(house.count(&meeting), Some(1));
    assert_eq!(house.live(&meeting).unwrap().participants, 1);
    assert_eq!(bob.roster().await, [bob.peer()]);
    assert_eq!(bob.heard(room::JOIN_ROOM).await + bob.heard(media::PEER_JOINED_BROADCAST).await, 0);
    alice.leave().await;
    assert_eq!(bob.heard(room::LEAVE_ROOM).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_the_setup_screen_begins_no_session() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.connect().await;
    alice.open_transport(false).await.unwrap();
    assert_eq!(house.live(&meeting), None);
    alice.leave().await;
    assert_eq!(house.doors.store.live_session_of(&meeting).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_answer_is_true_at_the_instant_the_join_is_answered() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut present = Vec::new();
    for count in 1..=20 {
        present.push(house.guest(&meeting, &format!("Guest {count}")).await.join().await);
        let live = house.live(&meeting).expect("live");
        assert_eq!((live.live, live.max_concurrent, live.participants), (count, count, count));
        let stored = house.doors.store.live_session_of(&meeting).await.unwrap().expect("durable");
        assert_eq!(stored.summary, live, "what is told is stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_goes_by_the_book() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut bob = house.host(&meeting, "Bob").await.join_with_media().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut client = alice.connect().await;

    let me = client.join().await.unwrap();
    assert_eq!((me.peer_id.as_str(), me.user_id.as_str()), (alice.peer.as_str(), alice.participant.as_str()));
    assert_eq!((me.display_name.as_str(), me.stage_type, me.waitlisted), ("Alice", ON_STAGE, false));
    assert_eq!(me.custom_participant_id.as_deref(), Some("customer-Alice"));
    let flags = me.flags.clone().unwrap();
    assert_eq!((flags.preset_name.as_str(), flags.recorder_type.as_str()), ("group_call_participant", "NONE"));
    assert!(!flags.hidden_participant && me.preset_id.is_some());
    let told: wire::PeerInfoResponse = bob.hear(room::JOIN_ROOM).await;
    assert_eq!(told.peer, Some(me), "the others are told the same");
    assert_eq!(client.heard(room::JOIN_ROOM).await, 0, "and she is not");

    let live = house.live(&meeting).unwrap();
    let info: wire::RoomInfoResponse = client.ask(room::GET_ROOM_INFO, NOTHING).await.unwrap();
    let info = info.room.unwrap();
    assert_eq!(info.room_uuid, Some(live.session.to_string()), "the session, not the meeting");
    assert_eq!((info.room_id, info.title), (meeting.to_string(), "Stand-up".to_owned()));
    assert_eq!(info.active_recordings, []);
    assert_eq!(info.created_at, live.started_at.0 as u64 / 1_000, "in seconds");
    let mut both = [alice.peer.clone(), bob.peer()];
    both.sort();
    assert_eq!(client.roster().await, both);
    assert_eq!(bob.roster().await, both);
    for event in [chat::GET_MESSAGES, polls::GET_POLLS] {
        client.ask::<()>(event, NOTHING).await.unwrap();
    }

    assert_eq!(bob.heard(media::PEER_JOINED_BROADCAST).await, 0, "not before her media is there");
    let done = client.complete_join().await;
    let room_state = done.room_state.unwrap();
    assert_eq!((room_state.room_uuid, room_state.current_peer_id), (live.session.to_string(), alice.peer.clone()));
    assert_eq!((room_state.room_name, room_state.display_title), (meeting.to_string(), "Stand-up".to_owned()));
    let others: Vec<_> = done.participants.iter().map(|other| (other.peer_id.clone(), other.display_name.clone())).collect();
    assert_eq!(others, [(bob.peer(), "Bob".to_owned())]);
    assert_eq!(done.selected_peers.unwrap(), edge::SelectedPeersResponse::default(), "nobody has spoken yet");
    let told: edge::PeerJoinBroadcastResponse = bob.hear(media::PEER_JOINED_BROADCAST).await;
    assert_eq!(told.participant.unwrap().peer_id, alice.peer);

    let rooms: wire::GetConnectedRoomsDumpResponse = client.ask(room::GET_CONNECTED_ROOMS_DUMP, NOTHING).await.unwrap();
    let parent = rooms.parent_meeting.unwrap();
    assert_eq!((parent.id, parent.participants.len()), (Some(meeting.to_string()), 2));
    assert!(rooms.meetings.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_listed_in_pages_and_found_by_name() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let _others = [house.guest(&meeting, "Bob").await.join().await, house.guest(&meeting, "Alison").await.join().await];
    let mut names = async |search: &str, limit, offset| {
        let request = wire::RoomPeersInfoRequest { seach_query: search.to_owned(), limit, offset };
        let found: wire::RoomPeersInfoResponse = alice.ask(room::GET_ROOM_PEERS_INFO, &request).await.unwrap();
        found.peers.into_iter().map(|peer| peer.display_name).collect::<Vec<_>>()
    };
    assert_eq!(names("", 0, 0).await, ["Alice", "Bob", "Alison"]);
    assert_eq!(names("ALI", 0, 0).await, ["Alice", "Alison"]);
    assert_eq!(names("", 1, 1).await, ["Bob"]);
    assert_eq!(names("", -1, -1).await.len(), 3);
    assert!(names("", 10, 10).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_counts_at_once() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    for code in [1000, 1001] {
        let alice = house.guest(&meeting, "Alice").await;
        let mut client = alice.join_with_media().await;
        assert_eq!(house.count(&meeting), Some(2));
        let _: edge::PeerLeaveResponse = client.ask(media::LEAVE_ROOM, &edge::PeerLeaveRequest::default()).await.unwrap();
        let told: edge::PeerLeaveBroadcastResponse = bob.hear(media::PEER_LEAVE_BROADCAST).await;
        assert_eq!(told.participant_id, alice.peer);
        assert_eq!(house.count(&meeting), Some(2), "she has only put her media down");
        client.close(code).await;
        let told: wire::PeerInfoResponse = bob.hear(room::LEAVE_ROOM).await;
        assert_eq!(told.peer.unwrap().peer_id, alice.peer);
        assert_eq!(house.count(&meeting), Some(1));
        assert_eq!(bob.roster().await, [bob.peer()]);
        bob.forget().await;
    }
    let session = house.live(&meeting).unwrap().session.clone();
    bob.leave().await;
    house.counts(&meeting, Some(0)).await;
    assert_eq!(house.live(&meeting).unwrap().session, session, "kept alive for who comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_in_time_is_never_seen_to_leave() {
    let house = House::with(|config| config.session.grace_secs = 60).await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let camera = alice.publish("video").await.unwrap();
    let _: edge::PeerProducerCreateBroadcastResponse = bob.hear(media::PEER_PRODUCER_CREATE_BROADCAST).await;
    bob.forget().await;
    let minutes = house.live(&meeting).unwrap().consumed_ms(house.doors.clock.now());

    let alice = alice.vanish();
    house.counts(&meeting, Some(1)).await;
    assert_eq!(bob.roster().await.len(), 2, "the others still see her");
    assert_eq!(bob.heard(room::LEAVE_ROOM).await, 0);
    assert_eq!(bob.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await, 0, "her media may well go on");

    let mut back = alice.connect().await;
    let me = back.join().await.unwrap();
    assert_eq!(me.peer_id, alice.peer);
    assert_eq!(house.count(&meeting), Some(2));
    let closed: edge::PeerProducerCloseBroadcastResponse = bob.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(closed.producer_state.unwrap().producer_id, camera, "she publishes anew");
    back.complete_join().await;
    let _: edge::PeerJoinBroadcastResponse = bob.hear(media::PEER_JOINED_BROADCAST).await;
    assert_eq!(bob.heard(room::LEAVE_ROOM).await, 0);
    let live = house.live(&meeting).unwrap();
    assert_eq!((live.participants, live.max_concurrent), (2, 2));
    assert!(live.consumed_ms(house.doors.clock.now()) >= minutes);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_come_back_left_when_the_connection_broke() {
    let house = House::with(|config| config.session.grace_secs = 1).await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut client = alice.join_with_media().await;
    let session = house.live(&meeting).unwrap().session.clone();
    client.publish("audio").await.unwrap();
    let before = house.doors.clock.now().0;
    drop(client);
    house.counts(&meeting, Some(1)).await;
    let after = house.doors.clock.now().0;

    let told: wire::PeerInfoResponse = bob.hear(room::LEAVE_ROOM).await;
    assert_eq!(told.peer.unwrap().peer_id, alice.peer);
    assert!(house.doors.clock.now().0 - before >= 1_000, "not before the grace is over");
    assert_eq!(bob.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await, 1, "her microphone went with her");
    assert_eq!(bob.heard(media::PEER_LEAVE_BROADCAST).await, 1);
    let left_at = house.left_at(&session, &alice).await.expect("left");
    assert!((before..=after).contains(&left_at), "{before} <= {left_at} <= {after}");

    let mut back = alice.join().await;
    assert_eq!(back.roster().await.len(), 2, "the same peer id may come in anew");
    assert_eq!(house.live(&meeting).unwrap().session, session);
}

/// The old socket's end is noticed after the new one is there: that must not put the peer out.
#[tokio::test(flavor = "multi_thread")]
async fn the_late_end_of_an_old_socket_takes_nobody_out() {
    let house = House::with(|config| config.session.grace_secs = 0).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut previous = alice.join().await;
    for _ in 0..10 {
        let next = alice.join().await;
        drop(previous);
        previous = next;
        assert_eq!(previous.roster().await, [alice.peer.as_str()]);
    }
    assert_eq!(house.count(&meeting), Some(1));
    assert_eq!(house.live(&meeting).unwrap().participants, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_its_keep_alive_and_the_next_join_begins_another() {
    let house = House::open().await;
    let meeting = house.meeting_kept_alive_for(1).await;
    let alice = house.guest(&meeting, "Alice").await;
    let client = alice.join().await;
    let first = house.live(&meeting).unwrap().session.clone();
    client.leave().await;
    house.counts(&meeting, Some(0)).await;
    house.counts(&meeting, None).await;
    let record = house.record(&first).await;
    let left_at = house.left_at(&first, &alice).await.unwrap();
    assert_eq!(record.ended.unwrap().at.0, left_at + 1_000, "to the millisecond, however late the timer");
    assert_eq!(house.doors.store.live_session_of(&meeting).await.unwrap(), None);

    let _again = alice.join().await;
    let second = house.live(&meeting).unwrap();
    assert_ne!(second.session, first);
    assert_eq!((second.live, second.participants), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_says_nothing_about_itself_that_counts() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let host = house.host(&meeting, "Bob").await;
    let mut bob = host.join().await;
    let waiting = house.add(&meeting, "Mallory", "group_call_guest").await;
    let mut mallory = waiting.connect().await;
    let lie = wire::Peer {
        peer_id: host.peer.clone(),
        user_id: host.participant.clone(),
        display_name: "Mallory".to_owned(),
        stage_type: ON_STAGE,
        custom_participant_id: Some("customer-Bob".to_owned()),
        preset_id: bob.join().await.unwrap().preset_id,
        display_picture_url: Some("https://example.org/bob.png".to_owned()),
        waitlisted: false,
        flags: Some(wire::PeerFlags { preset_name: "group_call_host".to_owned(), ..wire::PeerFlags::default() }),
    };
    let me = mallory.join_as(lie).await.unwrap();
    assert!(me.waitlisted, "the preset says that she waits");
    assert_eq!((me.peer_id, me.user_id), (waiting.peer.clone(), waiting.participant.clone()));
    assert_eq!((me.custom_participant_id.as_deref(), me.display_picture_url), (Some("customer-Mallory"), None));
    assert_eq!(me.flags.unwrap().preset_name, "group_call_guest");
    assert_eq!(house.count(&meeting), Some(1));
    assert_eq!(bob.roster().await, [host.peer]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_never_joined_frees_its_peer_id_in_time() {
    let house = House::with(|config| config.session.grace_secs = 0).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut early = alice.connect().await;
    early.open_transport(false).await.unwrap();
    drop(early);
    let gone = async {
        while house.doors.hub.find(meeting.as_str()).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the meeting is forgotten");
    let peer = PeerId::parse(&alice.peer).unwrap();
    assert!(house.doors.media.own(&meeting, &peer, salon_sfu::Role::Send, None).is_none(), "and its transport closed");
}

/// A node that is told to stop closes its sockets so that their clients come back, and keeps the session for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_asks_its_clients_back() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let session = house.live(&meeting).unwrap().session.clone();
    let began = Instant::now();
    let (code, house) = tokio::join!(alice.hung_up(), house.restart());
    assert_eq!(code, Some(1012));
    assert!(began.elapsed() < Duration::from_secs(5), "nothing keeps it from stopping");
    assert_eq!(house.count(&meeting), Some(0));
    let mut back = alice.vanish().at(&house.address).join().await;
    assert_eq!(back.roster().await, [back.peer()]);
    assert_eq!(house.live(&meeting).unwrap().session, session);
}
