//! Who is shown where not everyone can be, as a client makes it out of the numbers it is told.

use salon_core::{MeetingId, PeerId};
use salon_wire::event_id::media;
use salon_wire::signaling::media::{self as wire, edge};

use crate::client::Client;
use crate::house::House;

/// What a client holds, by the rules read in web SDK 2.0.2.
#[derive(Debug, Default)]
struct Held {
    order: Vec<String>,
    compulsory: Vec<String>,
}

impl Held {
    fn of(list: Option<edge::SelectedPeersResponse>) -> Self {
        let mut held = Self::default();
        let list = list.unwrap();
        for (place, peer) in list.audio_peers.into_iter().enumerate() {
            held.takes(peer, place as i32 + 1);
        }
        list.compulsory_peers.into_iter().for_each(|peer| held.takes(peer, -1));
        held
    }

    fn takes(&mut self, peer: String, priority: i32) {
        if priority < 0 {
            self.compulsory.push(peer);
            self.compulsory.dedup();
            return;
        }
        if self.compulsory.contains(&peer) {
            self.compulsory.retain(|other| *other != peer);
            if priority == 246_267_631 {
                return;
            }
        } else if priority == 229_490_415 {
            self.order.retain(|other| *other != peer);
            return;
        }
        self.order.retain(|other| *other != peer);
        let place = (priority.max(1) as usize - 1).min(self.order.len());
        self.order.insert(place, peer);
    }

    async fn hears(&mut self, client: &mut Client) -> (&[String], &[String]) {
        let told: edge::SelectedPeersDiffResponse = client.hear(media::SELECTED_PEER_DIFF).await;
        told.entries.into_iter().for_each(|entry| self.takes(entry.peer_id, entry.priority));
        (&self.order, &self.compulsory)
    }
}

async fn speaks(house: &House, meeting: &MeetingId, client: &Client) {
    let (handle, peer) = (house.doors.hub.find(meeting.as_str()).unwrap(), PeerId::parse(&client.peer()).unwrap());
    handle.call(move |session, now| session.handle_voice(now, &peer)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_comes_to_the_front_and_who_shares_a_screen_is_compulsory() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut held = Held::default();
    let transport = bob.open_transport(false).await.unwrap();
    let microphone = bob.publish_on(&transport, "audio", false).await.unwrap();
    speaks(&house, &meeting, &bob).await;
    assert_eq!(held.hears(&mut alice).await, (&[bob.peer()][..], &[][..]));
    let told: edge::SelectedPeersDiffResponse = bob.hear(media::SELECTED_PEER_DIFF).await;
    assert_eq!(told.entries[0].priority, 1, "people are told that they themselves are heard");

    let screen = bob.publish("video").await.unwrap();
    assert_eq!(alice.heard(media::SELECTED_PEER_DIFF).await, 0, "a camera is nothing special");
    let close = |producer_id: &str| edge::ProducerCloseRequest {
        producer_id: producer_id.to_owned(),
        ..edge::ProducerCloseRequest::default()
    };
    bob.tell(media::CLOSE_PRODUCER, &close(&screen)).await;
    let transport = bob.open_transport(false).await.unwrap();
    let screen = bob.publish_on(&transport, "video", true).await.unwrap();
    assert_eq!(held.hears(&mut alice).await, (&[bob.peer()][..], &[bob.peer()][..]));
    let mut late = house.guest(&meeting, "Late").await.join().await;
    let mut late_held = Held::of(late.complete_join().await.selected_peers);
    assert_eq!((&late_held.order, &late_held.compulsory), (&held.order, &held.compulsory), "late ones get the same");

    bob.tell(media::CLOSE_PRODUCER, &close(&microphone)).await;
    assert_eq!(held.hears(&mut alice).await, (&[][..], &[bob.peer()][..]));
    late_held.hears(&mut late).await;
    bob.tell(media::CLOSE_PRODUCER, &close(&screen)).await;
    assert_eq!(held.hears(&mut alice).await, (&[][..], &[][..]));
    assert_eq!(late_held.hears(&mut late).await, (&[][..], &[][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_no_say_in_who_is_heard() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let producer_id = alice.publish("audio").await.unwrap();
    alice.tell(media::AUDIO_ACTIVITY, &wire::AudioActivityRequest { producer_id, energy: 10, silent: false }).await;
    alice.catch_up().await;
    assert_eq!(bob.heard(media::SELECTED_PEER_DIFF).await, 0, "a client's own word about its loudness counts for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_forgets_who_is_not_selected_any_more() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let transport = bob.open_transport(false).await.unwrap();
    let screen = bob.publish_on(&transport, "video", true).await.unwrap();
    let mut held = Held::default();
    assert_eq!(held.hears(&mut alice).await.1, [bob.peer()]);
    let alice = alice.vanish();
    house.counts(&meeting, Some(1)).await;
    bob.tell(media::CLOSE_PRODUCER, &edge::ProducerCloseRequest { producer_id: screen, ..edge::ProducerCloseRequest::default() })
        .await;
    bob.catch_up().await;
    let mut alice = alice.connect().await;
    alice.join().await.unwrap();
    assert_eq!(alice.complete_join().await.selected_peers.unwrap(), edge::SelectedPeersResponse::default());
    assert_eq!(held.hears(&mut alice).await, (&[][..], &[][..]));
}
