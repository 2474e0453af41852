//! Pinning somebody for everyone.

use salon_wire::event_id::media::{GLOBAL_PEER_PIN_BROADCAST, GLOBAL_PIN_PEER};
use salon_wire::signaling::media::edge;
use serde_json::json;

use crate::house::House;

fn pin(peer: &str) -> edge::GlobalPeerPinningRequest {
    edge::GlobalPeerPinningRequest { participant_id: peer.to_owned() }
}

#[tokio::test]
async fn a_host_pins_for_everyone() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Hana").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    host.ask::<()>(GLOBAL_PIN_PEER, &pin(&bob.peer())).await.unwrap();
    for client in [&mut host, &mut bob] {
        let told: edge::GlobalPeerPinningBroadcastResponse = client.hear(GLOBAL_PEER_PIN_BROADCAST).await;
        assert_ne!(told.participant_id, "");
    }
    let mut late = house.guest(&meeting, "Late").await.join().await;
    assert_eq!(late.complete_join().await.room_state.unwrap().pinned_peer_ids, [bob.peer()]);
    bob.leave().await;
    let told: edge::GlobalPeerPinningBroadcastResponse = late.hear(GLOBAL_PEER_PIN_BROADCAST).await;
    assert_eq!(told.participant_id, "", "the pinned one has left");
    assert!(host.refused(GLOBAL_PIN_PEER, &pin("nobody")).await.contains("no such peer"));
}

#[tokio::test]
async fn who_may_not_pin_does_not_pin() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let changes = [("/permissions/pin_participant", json!(false))];
    let mut mallory = house.add_changed(&meeting, "Mallory", &changes).await.join_with_media().await;
    let own = pin(&mallory.peer());
    assert_eq!(mallory.refused(GLOBAL_PIN_PEER, &own).await, "the preset does not allow this");
    assert_eq!(mallory.heard(GLOBAL_PEER_PIN_BROADCAST).await, 0);
}
