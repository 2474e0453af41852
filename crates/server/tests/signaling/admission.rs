//! Who gets a socket, and who a socket speaks for.

use salon_core::{MeetingId, ParticipantId, PresetId, Timestamp};
use salon_doors::tokens::{Bearer, Tokens};
use salon_wire::event_id::room;

use crate::client::{Client, NOTHING};
use crate::house::{House, Person, dev, fresh};

/// The status with which a socket is refused.
async fn refused(person: &Person) -> u16 {
    match Client::connect(person).await {
        Ok(_) => panic!("{} was let in", person.name),
        Err(status) => status,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_token_of_this_meeting_opens_a_socket() {
    let house = House::open().await;
    let (meeting, elsewhere) = (house.meeting().await, house.meeting().await);
    let (alice, mallory) = (house.guest(&meeting, "Alice").await, house.guest(&meeting, "Mallory").await);
    let with = |token: String| Person { token, ..alice.clone() };
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (hers, theirs) = (parts(&alice.token), parts(&mallory.token));

    assert_eq!(refused(&with(String::new())).await, 401, "no token");
    assert_eq!(refused(&with(format!("eyJhbGciOiJub25lIn0.{}.", hers[1]))).await, 401, "a token that says it needs no signature");
    assert_eq!(refused(&with(format!("{}.{}.{}", hers[0], hers[1], theirs[2]))).await, 401, "somebody else's signature");

    let now = house.doors.clock.now();
    let participant = ParticipantId::parse(&alice.participant).unwrap();
    let bearer = |meeting: &MeetingId| Bearer {
        app: dev(),
        meeting: meeting.clone(),
        participant: participant.clone(),
        let_in_until: None,
        recording: None,
    };
    let preset = PresetId::parse("p").unwrap();
    let forged = Tokens::new(b"a guess", 100).sign(&bearer(&meeting), &preset, now);
    assert_eq!(refused(&with(forged)).await, 401, "another secret");
    let expired = house.doors.tokens.sign(&bearer(&meeting), &preset, Timestamp(now.0 - 101 * 86_400_000));
    assert_eq!(refused(&with(expired)).await, 401, "expired");

    let elsewhere = Person { meeting: elsewhere.to_string(), ..alice.clone() };
    assert_eq!(refused(&elsewhere).await, 403, "a token of another meeting");
    let moved = house.doors.tokens.sign(&bearer(&MeetingId::parse(&elsewhere.meeting).unwrap()), &preset, now);
    assert_eq!(refused(&Person { token: moved, ..elsewhere }).await, 401, "a meeting that the participant is not in");

    assert_eq!(refused(&Person { peer: "no%20id".to_owned(), ..alice.clone() }).await, 400);
    assert_eq!(refused(&Person { peer: String::new(), ..alice.clone() }).await, 400);
    assert_eq!(house.live(&meeting), None);
    alice.join().await.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_during_a_call_brings_back_whoever_is_in_it_and_nobody_else() {
    let house = House::with(|config| config.session.grace_secs = 60).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let inside = alice.join().await;
    let bearer = Bearer {
        app: dev(),
        meeting: meeting.clone(),
        participant: ParticipantId::parse(&alice.participant).unwrap(),
        let_in_until: None,
        recording: None,
    };
    let long_ago = Timestamp(house.doors.clock.now().0 - 101 * 86_400_000);
    let expired = house.doors.tokens.sign(&bearer, &PresetId::parse("p").unwrap(), long_ago);
    let late = Person { token: expired.clone(), ..alice.clone() };
    drop(inside);
    house.counts(&meeting, Some(0)).await;
    let back = late.join().await;
    house.counts(&meeting, Some(1)).await;
    drop(back);
    house.counts(&meeting, Some(0)).await;
    let mallory = house.guest(&meeting, "Mallory").await;
    assert_eq!(refused(&late.on_another_device()).await, 401, "another connection of hers");
    assert_eq!(refused(&Person { token: expired, ..mallory }).await, 401, "somebody else's");
    late.join().await.leave().await;
    house.counts(&meeting, Some(0)).await;
    assert_eq!(refused(&late).await, 401, "she has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_participant_gets_no_socket_and_cannot_join_with_an_old_one() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut early = alice.connect().await;
    let participant = ParticipantId::parse(&alice.participant).unwrap();
    house.doors.store.delete_participant(&meeting, &participant).await.unwrap();
    assert_eq!(refused(&alice.on_another_device()).await, 401);
    let why = early.join().await.unwrap_err();
    assert!(why.contains("does not exist any more"), "{why}");
    assert_eq!(house.live(&meeting), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_meeting_accepts_nobody_new_but_those_who_are_in_may_return() {
    let house = House::with(|config| config.session.grace_secs = 60).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let inside = alice.join().await;
    house.set_active(&meeting, false).await;

    let why = house.guest(&meeting, "Bob").await.connect().await.join().await.unwrap_err();
    assert!(why.contains("inactive"), "{why}");
    assert_eq!(house.count(&meeting), Some(1));

    drop(inside);
    house.counts(&meeting, Some(0)).await;
    let back = alice.join().await;
    assert_eq!(house.count(&meeting), Some(1));

    back.leave().await;
    house.counts(&meeting, Some(0)).await;
    let why = alice.connect().await.join().await.unwrap_err();
    assert!(why.contains("inactive"), "having left, she is a newcomer: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_id_belongs_to_the_participant_who_came_with_it() {
    let house = House::with(|config| config.session.grace_secs = 60).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let thief = Person { peer: alice.peer.clone(), ..house.guest(&meeting, "Mallory").await };

    let early = alice.connect().await;
    assert_eq!(thief.connect().await.hung_up().await, Some(1000), "while she looks at herself on the setup screen");
    drop(early);
    let mut client = alice.join().await;
    assert_eq!(thief.connect().await.hung_up().await, Some(1000), "while she is in");
    assert_eq!(client.roster().await, [alice.peer.as_str()]);
    drop(client);
    house.counts(&meeting, Some(0)).await;
    assert_eq!(thief.connect().await.hung_up().await, Some(1000), "while her connection is broken");
    alice.join().await.leave().await;
    house.counts(&meeting, Some(0)).await;
    assert_eq!(thief.connect().await.hung_up().await, Some(1000), "after she left");
    assert_eq!(alice.join().await.roster().await, [alice.peer.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_socket_of_the_same_peer_takes_over() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let mut first = alice.join().await;
    let mut second = alice.join().await;
    assert_eq!(first.hung_up().await, Some(1000));
    assert_eq!(second.roster().await.len(), 2);
    assert_eq!(bob.heard(room::LEAVE_ROOM).await, 0, "nobody sees her leave");
    assert_eq!(house.count(&meeting), Some(2));
    assert_eq!(house.live(&meeting).unwrap().participants, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_participant_may_be_here_with_two_devices() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let laptop = alice.join().await;
    let phone = alice.on_another_device().join().await;
    assert_eq!(house.count(&meeting), Some(2));
    laptop.leave().await;
    house.counts(&meeting, Some(1)).await;
    phone.leave().await;
    house.counts(&meeting, Some(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_takes_so_many_sockets_and_a_node_so_many() {
    let house = House::with(|config| (config.limits.sockets_per_meeting, config.limits.sockets) = (3, 5)).await;
    let (meeting, other) = (house.meeting().await, house.meeting().await);
    let alice = house.guest(&meeting, "Alice").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(alice.on_another_device().connect().await);
    }
    assert_eq!(alice.connect().await.hung_up().await, Some(1000), "a fourth in this meeting");

    let bob = house.guest(&other, "Bob").await;
    let first = bob.on_another_device().connect().await;
    let second = bob.on_another_device().connect().await;
    assert_eq!(refused(&bob).await, 503, "a sixth on this node");
    drop((first, second));

    open.pop().unwrap().leave().await;
    let mut late = alice.join().await;
    assert_eq!(late.roster().await.len(), 1, "a place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_cannot_keep_others_from_their_sockets() {
    let house = House::with(|config| config.limits.sockets_per_meeting = 5).await;
    let meeting = house.meeting().await;
    let (mallory, hana) = (house.guest(&meeting, "Mallory").await, house.host(&meeting, "Hana").await);
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(mallory.on_another_device().connect().await);
    }
    assert_eq!(mallory.on_another_device().connect().await.hung_up().await, Some(1000));
    let mut host = hana.join().await;
    assert_eq!(open[0].hung_up().await, Some(1011), "the oldest makes room for her");
    assert_eq!(mallory.on_another_device().connect().await.hung_up().await, Some(1000));
    assert_eq!(host.roster().await.len(), 1, "she is there");
    assert_eq!(house.guest(&meeting, "Bob").await.join().await.roster().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_sockets_too_often_waits_and_others_go_on() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let (mallory, ada) = (house.guest(&meeting, "Mallory").await, house.guest(&meeting, "Ada").await);
    let mut opened = 0;
    let status = loop {
        match Client::connect(&mallory.on_another_device()).await {
            Ok(socket) => drop(socket),
            Err(status) => break status,
        }
        opened += 1;
        assert!(opened < 1_000, "as often as it likes");
    };
    assert_eq!(status, 429);
    assert!(opened >= 120, "{opened}");
    assert_eq!(ada.join().await.roster().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_so_many_peers() {
    let house = House::with(|config| config.limits.peers_per_session = 2).await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    let first = alice.join().await;
    let _second = alice.on_another_device().join().await;
    let mut third = alice.on_another_device().connect().await;
    assert!(third.join().await.unwrap_err().contains("limit"));
    first.leave().await;
    house.counts(&meeting, Some(1)).await;
    third.join().await.unwrap();
}

/// Ids that nobody made are no key to other people's meetings.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_does_not_exist_has_no_door() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await;
    assert_eq!(refused(&Person { meeting: fresh(), ..alice.clone() }).await, 403);
    assert!(alice.connect().await.refused(room::GET_ROOM_INFO, NOTHING).await.contains("join"));
}
