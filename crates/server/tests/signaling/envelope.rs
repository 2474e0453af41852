//! The outer layer of the socket: what is answered how, and what a client may throw at it without anybody else noticing.

use std::time::Duration;

use salon_wire::event_id::{self, media, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room as wire;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use prost::Message as _;

use crate::client::{Client, NOTHING, frame};
use crate::house::{House, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_the_event_and_the_id_of_their_request() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let first = alice.tell(room::GET_ROOM_INFO, NOTHING).await;
    let second = alice.tell(room::GET_ROOM_PEERS_INFO, NOTHING).await;
    for (event, id) in [(room::GET_ROOM_INFO, first), (room::GET_ROOM_PEERS_INFO, second)] {
        let answer = alice.receive().await.unwrap();
        assert_eq!((answer.event, answer.id), (event, Some(id)), "in the order of the requests");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_with_an_error_and_harms_nobody() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;

    assert!(alice.refused(0x0009_0007, NOTHING).await.contains("does not know"));
    assert!(alice.refused(u32::MAX, NOTHING).await.contains("does not know"));
    assert!(alice.refused(event_id::chat::SEND_MESSAGE_TO_ROOM, NOTHING).await.contains("chat"));

    // A length that runs past the end, where a JoinRoomRequest should be.
    let torn =
        SocketMessage { event: room::JOIN_ROOM, id: Some("x".into()), payload: Some(vec![0x0a, 0x7f].into()), metadata: None };
    alice.send(Message::binary(torn.encode_to_vec())).await;
    let why = alice.answer::<()>(room::JOIN_ROOM, "x").await.unwrap_err();
    assert!(why.contains("cannot be read"), "{why}");

    for bytes in [vec![], vec![0xff; 3], b"hello".to_vec()] {
        alice.send(Message::binary(bytes)).await;
        let answer = alice.receive().await.unwrap();
        assert_eq!(answer.event, event_id::ERROR);
    }
    for text in ["", "hello", "22", "{\"event\":30}"] {
        alice.send(Message::text(text)).await;
    }
    assert_eq!(alice.roster().await, bob.roster().await, "both are still here and served");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_absurd_length_is_not_sent_back() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    alice.send(frame(room::GET_ROOM_INFO, &"x".repeat(10_000), NOTHING)).await;
    let answer = alice.receive().await.unwrap();
    assert_eq!((answer.event, answer.id), (room::GET_ROOM_INFO, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_ping() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    alice.send(Message::text("2")).await;
    assert_eq!(alice.text().await, "3");
    alice.pinged().await;
    alice.pinged().await;
    assert_eq!(alice.roster().await, [alice.peer()], "who answers stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_frame_costs_its_sender_the_socket_and_nobody_else_anything() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    alice.send(Message::binary(vec![0; 256 * 1024 + 1])).await;
    alice.hung_up().await;
    house.counts(&meeting, Some(1)).await;
    assert_eq!(bob.roster().await.len(), 2, "Alice may come back");
    bob.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_just_within_the_bound_is_read() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let request = wire::GetPeerInfoRequest { peer_id: "x".repeat(255 * 1024) };
    assert!(alice.refused(room::GET_PEER_INFO, &request).await.contains("not an id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_refused_and_then_ended() {
    let house = House::with(|config| (config.limits.messages_per_second, config.limits.message_burst) = (10, 50)).await;
    let meeting = house.meeting().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(alice.tell(room::GET_ROOM_INFO, NOTHING).await);
    }
    let mut refused = 0;
    for id in ids {
        match alice.answer::<wire::RoomInfoResponse>(room::GET_ROOM_INFO, &id).await {
            Ok(_) => assert_eq!(refused, 0, "what is within the rate is served first"),
            Err(why) => {
                assert!(why.contains("too many messages"), "{why}");
                refused += 1;
            }
        }
    }
    assert!((30..60).contains(&refused), "{refused} of 100 were over the rate");

    for _ in 0..2_000 {
        alice.feed(frame(room::GET_ROOM_INFO, "x", NOTHING)).await;
    }
    alice.send(Message::text("3")).await;
    assert!(matches!(alice.hung_up().await, Some(1008) | None), "closed as a flood");
    house.counts(&meeting, Some(1)).await;
    assert_eq!(bob.roster().await.len(), 2, "Bob is served all the while");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_frames_of_garbage_disturb_nobody() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let mut seed = 7u64;
    for length in 0..1_000 {
        let mut garbage = Vec::with_capacity(length % 97);
        for _ in 0..length % 97 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            garbage.push((seed >> 56) as u8);
        }
        alice.feed(Message::binary(garbage)).await;
    }
    alice.send(Message::text("2")).await;
    let mut carol = house.guest(&meeting, "Carol").await.join().await;
    assert_eq!(bob.roster().await.len(), 3);
    assert_eq!(carol.roster().await.len(), 3);
    assert_eq!(house.count(&meeting), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_handshakes_and_frames_are_survived() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    for nonsense in
        ["", "GET /ws HTTP/1.1\r\n\r\n", "GET /ws?roomID=a&roomID=b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(&house.address).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
    }
    let mut alice = alice.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    // An unmasked frame with reserved bits, as no client may send it.
    alice.raw(&[0xff, 0x05, 1, 2, 3, 4, 5]).await;
    alice.hung_up().await;
    assert_eq!(bob.roster().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_silent_is_let_go() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let silent = house.guest(&meeting, "Alice").await.join().await;
    house.counts(&meeting, Some(1)).await;
    // Its socket stays open, but nobody reads or answers there.
    house.counts(&meeting, Some(0)).await;
    drop(silent);
}

/// Someone whose machine has stopped reading must not make the others wait, nor be kept a place for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_dropped_and_the_others_notice_nothing() {
    let house = House::with(|config| (config.limits.messages_per_second, config.limits.message_burst) = (100_000, 100_000)).await;
    let meeting = house.meeting().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(house.address.parse().unwrap()).await.unwrap();
    let mut slow = Client::connect_over(&house.guest(&meeting, "Slow").await, stream).await.unwrap();
    slow.join().await.unwrap();
    slow.complete_join().await;

    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    // Several, because one alone may not toggle so often.
    let mut senders = Vec::new();
    for name in ["Alice", "Ada", "Anna", "Amy", "Ann"] {
        let mut alice = house.guest(&meeting, name).await.join_with_media().await;
        let transport = alice.open_transport(false).await.unwrap();
        let request = edge::ProducerCreateRequest {
            app_data: Some(format!(r#"{{"mid":"2","note":"{}"}}"#, "x".repeat(4_000))),
            ..crate::media::camera(&transport)
        };
        let camera: edge::ProducerCreateResponse = alice.ask(media::PRODUCE, &request).await.unwrap();
        senders.push((alice, camera.producer_id));
    }
    bob.forget().await;

    // Far more than the system keeps for a reader.
    for round in 0..20 {
        let (alice, camera) = &mut senders[round % 5];
        for toggle in 0..60 {
            alice.pause(camera, toggle % 2 == 0).await;
        }
        for toggle in 0..60 {
            let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
            assert_eq!(told.producer_state.unwrap().pause, toggle % 2 == 0, "Bob hears each of them, in order");
        }
        alice.forget().await;
    }
    let dropped = async {
        while house.count(&meeting) != Some(6) {
            // It still says that it lives: not to read is reason enough.
            slow.send(Message::text("3")).await;
            for (alice, _) in &mut senders {
                alice.catch_up().await;
            }
            bob.catch_up().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dropped).await.expect("the slow one is dropped");
    assert_eq!(bob.roster().await.len(), 7, "it has its grace to come back");
}
