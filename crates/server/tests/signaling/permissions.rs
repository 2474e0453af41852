//! What a preset forbids, asked for by a client that does not care: the server refuses, and nothing happens.

use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::room as wire;
use serde_json::json;

use crate::client::{Client, NOTHING};
use crate::house::House;

const FORBIDDEN: &str = "the preset does not allow this";

/// One who may do everything but what the changes forbid, and Bob, who has a microphone and a camera on.
async fn with_bob(house: &House, changes: &[(&str, serde_json::Value)]) -> (Client, Client) {
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let transport = bob.open_transport(false).await.unwrap();
    bob.publish_on(&transport, "audio", false).await.unwrap();
    let transport = bob.open_transport(false).await.unwrap();
    bob.publish_on(&transport, "video", false).await.unwrap();
    let mut mallory = house.add_changed(&meeting, "Mallory", changes).await.join_with_media().await;
    mallory.forget().await;
    bob.forget().await;
    (mallory, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_kick_does_not_kick() {
    let house = House::open().await;
    let (mut mallory, mut bob) = with_bob(&house, &[("/permissions/kick_participant", json!(false))]).await;
    let request = wire::RemoveParticipantsRequest { peer_ids: vec![bob.peer()] };
    assert_eq!(mallory.refused(room::KICK, &request).await, FORBIDDEN);
    let request = edge::KickAllPeersRequest { propagate_kick_across_rooms: true };
    assert_eq!(mallory.refused(room::KICK_ALL, &request).await, FORBIDDEN);
    assert_eq!(bob.heard(room::KICK).await + bob.heard(room::KICK_ALL).await, 0);
    assert_eq!(bob.roster().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_switch_off_a_kind_of_media_switches_off_none_of_it() {
    let house = House::open().await;
    for kind in ["audio", "video", "screensharing"] {
        let forbidden = format!("/permissions/disable_participant_{kind}");
        let (mut mallory, mut bob) = with_bob(&house, &[(&forbidden, json!(false))]).await;
        let (audio, video, screen_share) = (kind == "audio", kind == "video", kind == "screensharing");
        let one = |audio, video, scree_share| edge::HostMediaControlForPeerRequest {
            participant_id: bob.person.peer.clone(),
            audio,
            video,
            scree_share,
        };
        assert_eq!(mallory.refused(media::HOST_CONTROL_PEER, &one(audio, video, screen_share)).await, FORBIDDEN, "{kind}");
        assert_eq!(mallory.refused(media::HOST_CONTROL_PEER, &one(true, true, true)).await, FORBIDDEN, "{kind} among others");
        let all = edge::HostMediaControlForAllPeerRequest { audio, video, screen_share };
        assert_eq!(mallory.refused(media::HOST_CONTROL_ALL_PEERS, &all).await, FORBIDDEN, "{kind}");
        assert_eq!(bob.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0, "{kind}");

        let others = edge::HostMediaControlForAllPeerRequest { audio: !audio, video: !video, screen_share: !screen_share };
        let done: edge::HostMediaControlForAllPeerResponse = mallory.ask(media::HOST_CONTROL_ALL_PEERS, &others).await.unwrap();
        assert_eq!(done.status, "success");
        let expected = usize::from(!audio) + usize::from(!video);
        assert_eq!(bob.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, expected, "all but {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_switches_another_on() {
    let house = House::open().await;
    let (mut mallory, mut bob) = with_bob(&house, &[]).await;
    let mute = edge::HostMediaControlForPeerRequest {
        participant_id: bob.peer(),
        audio: true,
        ..edge::HostMediaControlForPeerRequest::default()
    };
    for _ in 0..2 {
        mallory.ask::<edge::HostMediaControlForPeerResponse>(media::HOST_CONTROL_PEER, &mute).await.unwrap();
    }
    let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause);
    assert_eq!(told.initiator_participant_id, Some(mallory.peer()), "so that his client switches itself off");
    assert_eq!(bob.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0, "once is enough");
    let unknown = edge::HostMediaControlForPeerRequest { participant_id: "nobody".to_owned(), ..mute };
    assert!(mallory.refused(media::HOST_CONTROL_PEER, &unknown).await.contains("no such peer"));
}

/// `mute-all` of the API may forbid people to switch themselves on again.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_muted_for_good_cannot_unmute() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let microphone = bob.publish("audio").await.unwrap();
    let handle = house.doors.hub.find(meeting.as_str()).unwrap();
    handle.call(|session, now| session.mute_all(now, false)).await.unwrap().unwrap();
    let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause);
    alice.forget().await;

    let on = edge::ProducerToggleRequest { producer_id: microphone, pause: false };
    assert_eq!(bob.refused(media::TOGGLE_PRODUCER, &on).await, "a host has muted everyone");
    let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause, "his client is set right");
    let microphone = bob.publish("audio").await.unwrap();
    let told: edge::PeerProducerCreateBroadcastResponse = alice.hear(media::PEER_PRODUCER_CREATE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause, "nor does a new track help");
    assert_eq!(alice.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0);

    handle.call(|session, now| session.mute_all(now, true)).await.unwrap().unwrap();
    let on = edge::ProducerToggleRequest { producer_id: microphone, pause: false };
    bob.tell(media::TOGGLE_PRODUCER, &on).await;
    let told: edge::PeerProducerToggleBroadcastResponse = alice.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(!told.producer_state.unwrap().pause);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_muted_while_away_is_not_heard_on_return_and_is_told() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut socket = bob.join_with_media().await;
    let before = socket.publish("audio").await.unwrap();
    let mut alice = house.host(&meeting, "Alice").await.join_with_media().await;
    drop(socket);
    house.counts(&meeting, Some(1)).await;
    alice.forget().await;
    let mute = edge::HostMediaControlForPeerRequest { participant_id: bob.peer.clone(), audio: true, ..Default::default() };
    alice.tell(media::HOST_CONTROL_PEER, &mute).await;
    let told: edge::PeerProducerToggleBroadcastResponse = alice.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause, "nobody hears him");

    let mut socket = bob.join_with_media().await;
    let microphone = socket.publish("audio").await.unwrap();
    assert_eq!(microphone, before, "his microphone goes on as the others know it");
    assert_eq!(alice.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0, "muted");
    let told: edge::PeerProducerToggleBroadcastResponse = socket.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    let state = told.producer_state.unwrap();
    assert_eq!((state.producer_id, state.pause), (microphone.clone(), true), "and his client knows");
    socket.pause(&microphone, false).await;
    let told: edge::PeerProducerToggleBroadcastResponse = alice.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(!told.producer_state.unwrap().pause, "he may switch it on again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_room_is_only_for_those_who_may_admit() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let keeper = [("/permissions/accept_waiting_requests", json!(false))];
    let mut mallory = house.add_changed(&meeting, "Mallory", &keeper).await.join().await;
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted);
    let user_ids = vec![wanda.user()];
    assert_eq!(mallory.refused(room::GET_WAITING_ROOM_REQUESTS, NOTHING).await, FORBIDDEN);
    let admit = wire::AcceptWaitingRoomRequests { user_ids: user_ids.clone() };
    assert_eq!(mallory.refused(room::ACCEPT_WAITING_ROOM_REQUESTS, &admit).await, FORBIDDEN);
    assert_eq!(mallory.refused(room::DENY_WAITING_ROOM_REQUESTS, &wire::DenyWaitingRoomRequests { user_ids }).await, FORBIDDEN);
    assert_eq!(mallory.heard(room::GET_WAITING_ROOM_REQUESTS).await, 0, "nor is she told who waits");
    assert_eq!(wanda.refused(room::ACCEPT_WAITING_ROOM_REQUESTS, &admit).await, "join the meeting first", "least of all herself");
    assert!(wanda.join().await.unwrap().waitlisted);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_rename_themselves_if_they_may_and_members_nobody_else() {
    let house = House::open().await;
    let (mut mallory, mut bob) = with_bob(&house, &[("/permissions/can_edit_display_name", json!(false))]).await;
    let rename =
        |peer: String, name: &str| edge::PeerDisplayNameEditRequest { participant_id: peer, display_name: name.to_owned() };
    assert_eq!(mallory.refused(media::CHANGE_DISPLAY_NAME, &rename(mallory.peer(), "Alice")).await, FORBIDDEN);
    assert_eq!(bob.refused(media::CHANGE_DISPLAY_NAME, &rename(mallory.peer(), "Fool")).await, FORBIDDEN);
    let nobody = rename("nobody".to_owned(), "Fool");
    assert_eq!(mallory.refused(media::CHANGE_DISPLAY_NAME, &nobody).await, "no such peer in this session");
    let done: edge::PeerDisplayNameEditResponse =
        bob.ask(media::CHANGE_DISPLAY_NAME, &rename(bob.peer(), "Bobby")).await.unwrap();
    assert_eq!(done.status, "success");
    let told: edge::PeerDisplayNameEditBroadcastResponse = mallory.hear(media::PEER_DISPLAY_NAME_EDIT_BROADCAST).await;
    assert_eq!((told.participant_id, told.display_name), (bob.peer(), "Bobby".to_owned()));
    let why = "a name needs visible characters, and no line breaks, control or direction characters";
    for (bad, why) in [("", why), ("  ", why), ("a\nb", why), (&*"x".repeat(257), "the message is too large")] {
        assert_eq!(bob.refused(media::CHANGE_DISPLAY_NAME, &rename(bob.peer(), bad)).await, why, "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_given_when_joining_counts_only_if_the_preset_lets_people_name_themselves() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let fixed = house.add_changed(&meeting, "Mallory", &[("/permissions/can_edit_display_name", json!(false))]).await;
    let free = house.guest(&meeting, "Bob").await;
    for (person, name) in [(fixed, "Mallory"), (free, "The Boss")] {
        let claim = wire::Peer { display_name: "The Boss".to_owned(), ..wire::Peer::default() };
        let me = person.connect().await.join_as(claim).await.unwrap();
        assert_eq!(me.display_name, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_published_is_not_taken_in() {
    let house = House::open().await;
    for (permission, kind, screen_share) in [("audio", "audio", false), ("video", "video", false), ("screenshare", "video", true)]
    {
        for leave in ["NOT_ALLOWED", "CAN_REQUEST"] {
            let path = format!("/permissions/media/{permission}/can_produce");
            let (mut mallory, mut bob) = with_bob(&house, &[(&path, json!(leave))]).await;
            let transport = mallory.open_transport(false).await.unwrap();
            let why = mallory.publish_on(&transport, kind, screen_share).await.unwrap_err();
            assert_eq!(why, FORBIDDEN, "{permission} {leave}");
            assert_eq!(bob.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, 0);
            let (kind, screen_share) = if permission == "audio" { ("video", false) } else { ("audio", false) };
            mallory.publish_on(&transport, kind, screen_share).await.unwrap();
            assert_eq!(bob.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, 1, "the rest is allowed");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audience_does_not_publish() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut presenter = house.add(&meeting, "Paula", "webinar_presenter").await.join_with_media().await;
    presenter.publish("video").await.unwrap();
    let mut viewer = house.add(&meeting, "Victor", "webinar_viewer").await.connect().await;
    let me = viewer.join().await.unwrap();
    assert_eq!(me.stage_type, Some(wire::StageType::OffStage as i32));
    assert_eq!(viewer.complete_join().await.participants[0].producer_states.len(), 1, "watches");
    assert_eq!(viewer.publish("video").await.unwrap_err(), "only people on stage may do this");
    assert_eq!(viewer.refused(room::JOIN_STAGE, NOTHING).await, FORBIDDEN);
    assert_eq!(presenter.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_screens_are_shared_at_once() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let (hers, his) = (alice.open_transport(false).await.unwrap(), bob.open_transport(false).await.unwrap());
    alice.publish_on(&hers, "video", true).await.unwrap();
    assert!(bob.publish_on(&his, "video", true).await.unwrap_err().contains("limit"));
    bob.publish_on(&his, "video", false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcasts_are_for_those_who_joined_within_their_rate_and_size() {
    let house = House::open().await;
    let (mut alice, mut bob) = with_bob(&house, &[]).await;
    let message = |payload: Vec<u8>| wire::BroadcastMessage {
        r#type: "ping".to_owned(),
        payload,
        timestamp: 7,
        ids: Vec::new(),
        broadcast_type: None,
    };
    let mut outside = alice.person.on_another_device().connect().await;
    assert_eq!(outside.refused(room::BROADCAST_MESSAGE, &message(b"{}".to_vec())).await, "join the meeting first");
    assert!(alice.refused(room::BROADCAST_MESSAGE, &message(vec![b'x'; 16 * 1024 + 1])).await.contains("too large"));
    assert_eq!(bob.heard(room::BROADCAST_MESSAGE).await, 0);

    let own: wire::BroadcastMessage = alice.ask(room::BROADCAST_MESSAGE, &message(b"1".to_vec())).await.unwrap();
    assert_eq!(own, message(b"1".to_vec()), "answered with the same message");
    assert_eq!(bob.hear::<wire::BroadcastMessage>(room::BROADCAST_MESSAGE).await, own);
    assert_eq!(alice.heard(room::BROADCAST_MESSAGE).await, 0, "and not told again");

    let to_bob = wire::BroadcastMessage { ids: vec![bob.peer(), bob.peer(), "nobody".to_owned()], ..message(b"2".to_vec()) };
    alice.tell(room::BROADCAST_TO_ENTITY, &to_bob).await;
    assert_eq!(bob.hear::<wire::BroadcastMessage>(room::BROADCAST_MESSAGE).await.payload, b"2");
    let elsewhere = wire::BroadcastMessage { broadcast_type: Some(wire::BroadcastType::Rooms as i32), ..to_bob };
    assert_eq!(alice.refused(room::BROADCAST_TO_ENTITY, &elsewhere).await, "no such connected meeting");

    let mut sent = 0;
    let why = loop {
        match alice.ask::<wire::BroadcastMessage>(room::BROADCAST_MESSAGE, &message(b"3".to_vec())).await {
            Ok(_) => sent += 1,
            Err(why) => break why,
        }
        assert!(sent < 100, "there is no rate");
    };
    assert!(why.contains("too many"), "{why}");
    assert_eq!(bob.heard(room::BROADCAST_MESSAGE).await, sent, "what was refused reached nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_or_acts_across_meetings() {
    let house = House::open().await;
    let (mut alice, _bob) = with_bob(&house, &[]).await;
    let (mut eve, mut dave) = with_bob(&house, &[]).await;
    alice.kick(&eve.peer()).await;
    alice.kick(&dave.peer()).await;
    let all = edge::HostMediaControlForAllPeerRequest { audio: true, video: true, screen_share: true };
    alice.ask::<edge::HostMediaControlForAllPeerResponse>(media::HOST_CONTROL_ALL_PEERS, &all).await.unwrap();
    let one = edge::HostMediaControlForPeerRequest { participant_id: dave.peer(), audio: true, video: true, scree_share: true };
    assert!(alice.refused(media::HOST_CONTROL_PEER, &one).await.contains("no such peer"));
    let to = wire::BroadcastMessage { r#type: "x".to_owned(), ids: vec![dave.peer()], ..wire::BroadcastMessage::default() };
    alice.tell(room::BROADCAST_TO_ENTITY, &to).await;
    let who = wire::GetPeerInfoRequest { peer_id: dave.peer() };
    assert!(alice.refused(room::GET_PEER_INFO, &who).await.contains("no such peer"));
    alice.catch_up().await;
    for event in [room::KICK, room::BROADCAST_MESSAGE, media::PEER_PRODUCER_TOGGLE_BROADCAST] {
        assert_eq!(dave.heard(event).await + eve.heard(event).await, 0);
    }
    assert_eq!(eve.roster().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_people_see_and_are_not_seen() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut ghost =
        house.add_changed(&meeting, "Ghost", &[("/permissions/hidden_participant", json!(true))]).await.join_with_media().await;
    ghost.publish("audio").await.unwrap();
    assert_eq!(ghost.roster().await.len(), 2);
    assert_eq!(bob.roster().await, [bob.peer()]);
    let ghost_is = wire::GetPeerInfoRequest { peer_id: ghost.peer() };
    assert!(bob.refused(room::GET_PEER_INFO, &ghost_is).await.contains("no such peer"));
    assert_eq!(house.count(&meeting), Some(1));
    ghost.leave().await;
    bob.catch_up().await;
    for event in [
        room::JOIN_ROOM,
        room::LEAVE_ROOM,
        media::PEER_JOINED_BROADCAST,
        media::PEER_PRODUCER_CREATE_BROADCAST,
        media::PEER_LEAVE_BROADCAST,
    ] {
        assert_eq!(bob.heard(event).await, 0);
    }
}
