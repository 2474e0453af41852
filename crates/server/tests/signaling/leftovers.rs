//! Somebody's socket breaks, its media connection does not: its client comes back and publishes anew on it.

use salon_core::MeetingId;
use salon_wire::event_id::media;
use salon_wire::signaling::media::edge;

use crate::client::Client;
use crate::house::House;

async fn told_of_tracks(client: &mut Client) -> (usize, usize) {
    (client.heard(media::PEER_PRODUCER_CREATE_BROADCAST).await, client.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_is_published_anew_is_the_one_that_others_have() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let transport = alice.open_transport(false).await.unwrap();
    let track = alice.publish_on(&transport, "audio", false).await.unwrap();
    assert_eq!(told_of_tracks(&mut bob).await, (1, 0));
    bob.forget().await;

    let alice = alice.vanish();
    let mut carol = house.guest(&meeting, "Carol").await.join().await;
    let found = carol.complete_join().await.participants.into_iter().find(|peer| peer.peer_id == alice.peer).unwrap();
    assert_eq!(found.producer_states[0].producer_id, track, "whoever comes meanwhile hears her");

    let mut alice = alice.join_with_media().await;
    assert_eq!(alice.publish_on(&transport, "audio", false).await.unwrap(), track);
    for client in [&mut bob, &mut carol] {
        assert_eq!(told_of_tracks(client).await, (0, 0));
    }
    alice.pause(&track, true).await;
    let told: edge::PeerProducerToggleBroadcastResponse = bob.hear(media::PEER_PRODUCER_TOGGLE_BROADCAST).await;
    assert_eq!(told.producer_state.unwrap().producer_id, track, "it is hers as before");
    assert_eq!(house.doors.media.sfu.snapshot().await.producers, 1);
    let second = alice.publish_on(&transport, "audio", false).await.unwrap();
    assert_ne!(second, track, "what goes on does so once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_whose_connection_is_gone_is_published_as_another() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let track = alice.publish("audio").await.unwrap();
    let mut alice = alice.vanish().join_with_media().await;
    // The oldest makes room.
    for _ in 0..8 {
        alice.open_transport(false).await.unwrap();
    }
    assert_ne!(alice.publish("audio").await.unwrap(), track);
    assert_eq!(told_of_tracks(&mut bob).await, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_kicked_while_away_leaves_nothing_over() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut hana = house.host(&MeetingId::parse(&alice.person.meeting).unwrap(), "Hana").await.join_with_media().await;
    alice.publish("audio").await.unwrap();
    let alice = alice.vanish();
    hana.kick(&alice.peer).await;
    let told: edge::PeerProducerCloseBroadcastResponse = hana.hear(media::PEER_PRODUCER_CLOSE_BROADCAST).await;
    assert_eq!(told.participant_id, alice.peer);
    assert_eq!(house.doors.media.sfu.snapshot().await.producers, 0);
}
