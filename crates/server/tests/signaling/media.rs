//! Tracks as others hear of them, and whose transports and tracks a message may name.

use salon_core::MeetingId;
use salon_wire::event_id::media;
use salon_wire::signaling::media::{self as wire, edge};

use crate::client::{Client, described};
use crate::house::House;
use crate::sdp;

const REFUSED_TRANSPORT: &str = "no such transport; open a new one";

/// On which the web SDK throws its receiving connection away and opens a new one.
const BACKEND_ERROR: &str = r#"{"errorCode":"internal_error","errorDescription":"Backend error"}"#;

/// A request to publish a camera on a transport.
pub fn camera(transport: &str) -> edge::ProducerCreateRequest {
    edge::ProducerCreateRequest {
        kind: "video".to_owned(),
        paused: false,
        screen_share: false,
        description: Some(described("offer", sdp::offer(&["video"]))),
        msid: sdp::msid(2),
        app_data: Some(r#"{"mid":"2"}"#.to_owned()),
        mime_type: Some("video/VP8".to_owned()),
        producing_transport_id: Some(transport.to_owned()),
    }
}

fn wish(of: &str, producer: &str, transport: &str) -> edge::ConsumePeersRequest {
    edge::ConsumePeersRequest {
        requests: vec![edge::ConsumePeerRequest {
            producing_peer_id: of.to_owned(),
            producer_id: Some(producer.to_owned()),
            ..edge::ConsumePeerRequest::default()
        }],
        consuming_transport_id: Some(transport.to_owned()),
    }
}

/// The error code of the one track that was wished for.
async fn consume_error(client: &mut Client, wish: &edge::ConsumePeersRequest) -> Option<String> {
    let answer: edge::ConsumePeerResponse = client.ask(media::CONSUME, wish).await.unwrap();
    assert_eq!(answer.description, None, "there is nothing to negotiate");
    answer.consumer_ids_map.unwrap().map.into_values().next().unwrap().error_code
}

async fn two(house: &House) -> (Client, Client) {
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    (alice, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_announced_taken_paused_and_ended() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    let transport = alice.open_transport(false).await.unwrap();
    let made: edge::ProducerCreateResponse = alice.ask(media::PRODUCE, &camera(&transport)).await.unwrap();
    let answer = made.description.unwrap();
    assert!(made.status && answer.r#type == "answer" && answer.sdp.matches("m=").count() == 3, "{}", answer.sdp);
    let told: edge::PeerProducerCreateBroadcastResponse = bob.hear(media::PEER_PRODUCER_CREATE_BROADCAST).await;
    let track = told.producer_state.unwrap();
    assert_eq!((told.participant_id, &track.producer_id), (alice.peer(), &made.producer_id));
    assert_eq!((track.kind, track.pause, track.screen_share), (wire::ProducerKind::Video as i32, false, false));
    assert_eq!(track.app_data.as_deref(), Some(r#"{"mid":"2"}"#), "passed on unchanged");
    assert_eq!((track.producing_transport_id, track.mime_type), (Some(transport.clone()), Some("video/VP8".to_owned())));
    assert_eq!(alice.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, 0);

    let receiving = bob.open_transport(true).await.unwrap();
    let taken: edge::ConsumePeerResponse =
        bob.ask(media::CONSUME, &wish(&alice.peer(), &made.producer_id, &receiving)).await.unwrap();
    let consumer = taken.consumer_ids_map.unwrap().map.remove(&made.producer_id).unwrap();
    assert_eq!((consumer.error_code, &consumer.consumer_id), (None, &made.producer_id), "the client finds it by this id");
    let offer = taken.description.unwrap();
    let mid = consumer.producer_track.unwrap().stream_id;
    assert!(offer.r#type == "offer" && offer.sdp.contains(&format!("a=mid:{mid}\r\n")), "{}", offer.sdp);
    let reply =
        wire::RenegotiateRequest { transport_id: receiving, description: Some(described("answer", sdp::answer(&offer.sdp))) };
    bob.ask::<wire::RenegotiateResponse>(media::RENEGOTIATE_SESSION_DESCRIPTION, &reply).await.unwrap();

    alice.pause(&made.producer_id, true).await;
    for client in [&mut bob, &mut alice] {
        let told: edge::PeerProducerToggleBroadcastResponse = client.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
        assert!(told.producer_state.unwrap().pause);
        assert_eq!(told.initiator_participant_id, Some(told.participant_id));
    }
    let mut carol = house.guest(&MeetingId::parse(&alice.person.meeting).unwrap(), "Carol").await.join().await;
    let seen = carol.complete_join().await.participants.into_iter().find(|peer| peer.peer_id == alice.peer()).unwrap();
    assert!(seen.producer_states[0].pause, "who comes later finds it paused");

    let close = edge::ProducerCloseRequest {
        producer_id: made.producer_id.clone(),
        description: Some(described(
            "offer",
            sdp::offer(&["video"]).replacen("a=sendonly\r\na=msid:stream track-2", "a=inactive\r\na=msid:stream track-2", 1),
        )),
        producing_transport_id: Some(transport),
    };
    let closed: edge::ProducerClosingResponse = alice.ask(media::CLOSE_PRODUCER, &close).await.unwrap();
    assert!(closed.description.unwrap().sdp.contains("a=inactive"));
    let told: edge::PeerProducerCloseBroadcastResponse = bob.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(told.producer_state.unwrap().producer_id, made.producer_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_comes_after_joining() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let producer = alice.publish("audio").await.unwrap();
    let mut bob = house.guest(&meeting, "Bob").await.connect().await;
    let (sending, receiving) = (bob.open_transport(false).await.unwrap(), bob.open_transport(true).await.unwrap());
    let wish = wish(&alice.peer(), &producer, &receiving);
    assert_eq!(bob.refused(media::CONSUME, &wish).await, "join the meeting first");
    assert_eq!(bob.publish_on(&sending, "video", false).await.unwrap_err(), "join the meeting first");
    bob.join().await.unwrap();
    assert_eq!(bob.publish_on(&sending, "video", false).await.unwrap_err(), "join the meeting first", "its media has not joined");
    bob.complete_join().await;
    bob.publish_on(&sending, "video", false).await.unwrap();
    let taken: edge::ConsumePeerResponse = bob.ask(media::CONSUME, &wish).await.unwrap();
    assert!(taken.description.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_tracks_of_other_meetings_or_of_those_who_wait() {
    let house = House::open().await;
    let (mut alice, _bob) = two(&house).await;
    let (mut eve, mut dave) = two(&house).await;
    let producer = alice.publish("audio").await.unwrap();
    let receiving = eve.open_transport(true).await.unwrap();
    for of in [alice.peer(), dave.peer()] {
        let code = consume_error(&mut eve, &wish(&of, &producer, &receiving)).await;
        assert_eq!(code.as_deref(), Some("not_found_track_error"));
    }
    let own = dave.publish("audio").await.unwrap();
    let mixed = consume_error(&mut eve, &wish(&alice.peer(), &own, &receiving)).await;
    assert_eq!(mixed.as_deref(), Some("not_found_track_error"), "a track of somebody else than named");

    let meeting = MeetingId::parse(&eve.person.meeting).unwrap();
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted);
    assert_eq!(wanda.publish("audio").await.unwrap_err(), "join the meeting first");
    let code = consume_error(&mut eve, &wish(&wanda.peer(), &own, &receiving)).await;
    assert_eq!(code.as_deref(), Some("not_found_track_error"));
    let hers = wanda.open_transport(true).await.unwrap();
    assert_eq!(wanda.refused(media::CONSUME, &wish(&dave.peer(), &own, &hers)).await, "join the meeting first");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_touches_the_tracks_of_others() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    let producer = alice.publish("audio").await.unwrap();
    bob.forget().await;
    let toggle = edge::ProducerToggleRequest { producer_id: producer.clone(), pause: true };
    assert!(bob.refused(media::TOGGLE_PRODUCER, &toggle).await.contains("no such track"));
    let transport = bob.open_transport(false).await.unwrap();
    let close = edge::ProducerCloseRequest {
        producer_id: producer.clone(),
        description: Some(described("offer", sdp::offer(&[]))),
        producing_transport_id: Some(transport),
    };
    let _ = bob.ask::<edge::ProducerClosingResponse>(media::CLOSE_PRODUCER, &close).await;
    assert_eq!(bob.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await + bob.heard(media::PEER_PRODUCER_TOGGLE_BROADCAST).await, 0);
    let receiving = bob.open_transport(true).await.unwrap();
    let taken: edge::ConsumePeerResponse = bob.ask(media::CONSUME, &wish(&alice.peer(), &producer, &receiving)).await.unwrap();
    assert!(taken.description.is_some(), "it is still there to be heard");
    alice.pause(&producer, true).await;
    let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert!(told.producer_state.unwrap().pause, "and still hers to pause");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_the_transports_of_others() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    let (sending, receiving) = (alice.open_transport(false).await.unwrap(), alice.open_transport(true).await.unwrap());
    let producer = alice.publish_on(&sending, "audio", false).await.unwrap();
    let offer = || Some(described("offer", sdp::offer(&[])));

    assert_eq!(bob.publish_on(&sending, "video", false).await.unwrap_err(), REFUSED_TRANSPORT);
    assert_eq!(bob.refused(media::CONSUME, &wish(&alice.peer(), &producer, &receiving)).await, BACKEND_ERROR);
    let reply = wire::RenegotiateRequest { transport_id: receiving.clone(), description: offer() };
    assert_eq!(bob.refused(media::RENEGOTIATE_SESSION_DESCRIPTION, &reply).await, REFUSED_TRANSPORT);
    let close = edge::ConsumerCloseRequest {
        consumer_ids: vec!["0".to_owned()],
        description: offer(),
        consuming_transport_id: Some(receiving.clone()),
    };
    assert_eq!(bob.refused(media::CLOSE_CONSUMER, &close).await, REFUSED_TRANSPORT);
    let layers =
        edge::UpdateConsumersSimulcastConfigRequest { consuming_transport_id: Some(receiving.clone()), ..Default::default() };
    assert_eq!(bob.refused(media::UPDATE_CONSUMERS_SIMULCAST_CONFIG, &layers).await, REFUSED_TRANSPORT);
    let close = edge::ProducerCloseRequest {
        producer_id: producer.clone(),
        description: offer(),
        producing_transport_id: Some(sending.clone()),
    };
    assert_eq!(bob.refused(media::CLOSE_PRODUCER, &close).await, REFUSED_TRANSPORT);
    assert_eq!(bob.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await, 0);

    assert_eq!(alice.publish_on(&receiving, "video", false).await.unwrap_err(), REFUSED_TRANSPORT, "nor her own the wrong way");
    assert_eq!(bob.publish_on("", "video", false).await.unwrap_err(), REFUSED_TRANSPORT, "nor one that is not named");
    assert_eq!(bob.publish_on("no-such", "video", false).await.unwrap_err(), REFUSED_TRANSPORT);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_descriptions_are_refused_and_leave_nothing() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    for sdp in ["", "v=0", "not sdp at all", &"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(2_000)] {
        let request =
            wire::CreateTransportRequest { description: Some(described("offer", sdp.to_owned())), ..Default::default() };
        let why = alice.refused(media::CREATE_WEBRTC_TRANSPORT, &request).await;
        assert!(why.contains("SDP"), "{why}");
    }
    let missing = wire::CreateTransportRequest::default();
    assert!(alice.refused(media::CREATE_WEBRTC_TRANSPORT, &missing).await.contains("no session description"));
    let transport = alice.open_transport(false).await.unwrap();
    let no_line = edge::ProducerCreateRequest {
        description: Some(described("offer", sdp::offer(&[]))),
        msid: "of nothing".to_owned(),
        app_data: None,
        ..camera(&transport)
    };
    alice.refused(media::PRODUCE, &no_line).await;
    let no_kind = edge::ProducerCreateRequest { kind: "smell".to_owned(), ..camera(&transport) };
    assert!(alice.refused(media::PRODUCE, &no_kind).await.contains("audio or video"));
    let wordy = edge::ProducerCreateRequest {
        app_data: Some(format!(r#"{{"mid":"2","x":"{}"}}"#, "x".repeat(5_000))),
        ..camera(&transport)
    };
    assert!(alice.refused(media::PRODUCE, &wordy).await.contains("too large"));
    assert_eq!(bob.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, 0);
    alice.ask::<edge::ProducerCreateResponse>(media::PRODUCE, &camera(&transport)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_track_is_told_even_if_the_connection_under_it_is_gone() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    let producer = alice.publish("audio").await.unwrap();
    let close = edge::ProducerCloseRequest {
        producer_id: producer,
        description: Some(described("offer", "broken".to_owned())),
        producing_transport_id: Some("gone".to_owned()),
    };
    alice.refused(media::CLOSE_PRODUCER, &close).await;
    bob.hear::<edge::PeerProducerCloseBroadcastResponse>(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
}

/// Clients open new connections when old ones fail, and never say that the old ones are gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_track_ends_for_the_others_when_its_connection_had_to_make_room() {
    let house = House::open().await;
    let (mut alice, mut bob) = two(&house).await;
    let producer = alice.publish("audio").await.unwrap();
    for _ in 0..7 {
        alice.open_transport(true).await.unwrap();
    }
    assert_eq!(bob.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await, 0);
    alice.open_transport(false).await.unwrap();
    let told: edge::PeerProducerCloseBroadcastResponse = bob.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(told.producer_state.unwrap().producer_id, producer);
}

/// One token, used under names that it makes up.
#[tokio::test(flavor = "multi_thread")]
async fn one_guest_who_never_joins_takes_nobodys_media() {
    let house = House::with(|config| (config.limits.media_transports, config.limits.peers_per_session) = (8, 4)).await;
    let meeting = house.meeting().await;
    let mallory = house.add(&meeting, "Mallory", "webinar_viewer").await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut client = mallory.on_another_device().connect().await;
        for consuming in [false, true, true] {
            client.open_transport(consuming).await.unwrap();
        }
        open.push(client);
    }
    assert_eq!(mallory.on_another_device().connect().await.hung_up().await, Some(1000), "so many sockets it may have");
    assert_eq!(house.doors.media.sfu.snapshot().await.transports, 4, "and so many connections");

    let (mut alice, mut bob) = two(&house).await;
    let producer = alice.publish("audio").await.unwrap();
    alice.open_transport(true).await.unwrap();
    bob.open_transport(false).await.unwrap();
    let receiving = bob.open_transport(true).await.unwrap();
    let taken: edge::ConsumePeerResponse = bob.ask(media::CONSUME, &wish(&alice.peer(), &producer, &receiving)).await.unwrap();
    assert!(taken.description.is_some());
    for client in &mut open {
        let _ = client.open_transport(true).await;
    }
    let receiving = alice.open_transport(true).await.unwrap();
    let own = bob.publish("audio").await.unwrap();
    let taken: edge::ConsumePeerResponse = alice.ask(media::CONSUME, &wish(&bob.peer(), &own, &receiving)).await.unwrap();
    assert!(taken.description.is_some(), "who is in comes before who is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_in_has_more_connections_until_it_leaves() {
    let house = House::open().await;
    let alice = house.guest(&house.meeting().await, "Alice").await;
    let transports = async || house.doors.media.sfu.snapshot().await.transports;
    let (mut laptop, mut phone) = (alice.connect().await, alice.on_another_device().connect().await);
    for consuming in [false, true] {
        laptop.open_transport(consuming).await.unwrap();
        phone.open_transport(consuming).await.unwrap();
    }
    laptop.join().await.unwrap();
    for consuming in [false, true] {
        laptop.open_transport(consuming).await.unwrap();
        phone.open_transport(consuming).await.unwrap();
    }
    assert_eq!(transports().await, 8);
    laptop.leave().await;
    // Her phone is where it was, and she is not in any more: with its four it may have no fifth.
    phone.open_transport(true).await.unwrap();
    assert_eq!(transports().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_wishes_for_in_one_message_is_bounded() {
    let house = House::open().await;
    let (alice, mut bob) = two(&house).await;
    let receiving = bob.open_transport(true).await.unwrap();
    let mut many = wish(&alice.peer(), "x", &receiving);
    many.requests = vec![many.requests[0].clone(); 65];
    assert!(bob.refused(media::CONSUME, &many).await.contains("too large"));
}

/// People kicked by the new owner of a session were forwarded by the old one, and its transports stayed.
#[tokio::test(flavor = "multi_thread")]
async fn letting_go_of_a_session_takes_its_media_down() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let track = alice.publish("audio").await.unwrap();
    assert!(house.doors.media.publisher(&track).is_some());
    house.doors.hub.let_go();
    assert_eq!(alice.hung_up().await, Some(1011), "she is to come back");
    let down = async {
        while house.doors.media.sfu.snapshot().await.transports > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::house::PATIENCE, down).await.expect("its transports are closed");
    assert!(house.doors.media.meetings().is_empty());
    assert!(house.doors.media.publisher(&track).is_none(), "nor is anything remembered of its tracks");
}
