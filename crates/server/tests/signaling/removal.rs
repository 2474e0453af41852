//! Being removed, and the end for everyone.

use salon_core::event::{Actor, EndReason, LeaveReason};
use salon_core::{ParticipantId, PeerId};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::room as wire;

use crate::client::{Client, NOTHING};
use crate::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn kicking_twice_removes_once() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join_with_media().await;
    let mut carol = house.guest(&meeting, "Carol").await.join_with_media().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut client = bob.join_with_media().await;
    let session = house.live(&meeting).unwrap().session.clone();
    client.publish("audio").await.unwrap();
    host.kick(&bob.peer).await;
    host.kick(&bob.peer).await;
    client.hear::<()>(room::KICK).await;
    assert_eq!(host.heard(room::KICK).await, 0, "the kicker would take it for its own kick");
    for watcher in [&mut host, &mut carol] {
        assert_eq!(watcher.heard(room::LEAVE_ROOM).await, 1);
        assert_eq!(watcher.heard(media::PEER_LEAVE_BROADCAST).await, 1);
        assert_eq!(watcher.heard(media::PEER_PRODUCER_CLOSE_BROADCAST).await, 1);
    }
    assert_eq!(house.count(&meeting), Some(2));
    let record = house.record(&session).await;
    let peer = &record.peers[&PeerId::parse(&bob.peer).unwrap()];
    assert!(matches!(peer.presence, salon_core::record::Presence::Left { reason: LeaveReason::Kicked, .. }));

    let _: edge::PeerLeaveResponse = client.ask(media::LEAVE_ROOM, &edge::PeerLeaveRequest::default()).await.unwrap();
    client.leave().await;
    assert_eq!(carol.heard(room::LEAVE_ROOM).await, 1, "and nothing more when the socket goes");
    bob.join().await;
    assert_eq!(house.count(&meeting), Some(3), "with the same token people may come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_left_open_after_the_kick_can_do_nothing_and_is_hung_up() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join_with_media().await;
    let mut mallory = house.host(&meeting, "Mallory").await.join_with_media().await;
    let transport = mallory.open_transport(false).await.unwrap();
    host.kick(&mallory.peer()).await;
    mallory.hear::<()>(room::KICK).await;
    host.forget().await;

    let why = mallory.join().await.unwrap_err();
    assert_eq!(why, "you were removed from this meeting");
    assert_eq!(mallory.publish_on(&transport, "audio", false).await.unwrap_err(), why);
    assert_eq!(mallory.open_transport(false).await.unwrap_err(), why);
    for event in [room::GET_ROOM_PEERS_INFO, room::KICK_ALL, room::BROADCAST_MESSAGE, media::SELF_JOIN_COMPLETE] {
        assert_eq!(mallory.refused(event, NOTHING).await, why);
    }
    assert_eq!(host.roster().await, [host.peer()]);
    assert_eq!(host.heard(room::JOIN_ROOM).await, 0);
    assert_eq!(mallory.hung_up().await, Some(1000), "which tells the client not to come back by itself");
    let peer = PeerId::parse(&mallory.person.peer).unwrap();
    assert!(house.doors.media.own(&meeting, &peer, salon_sfu::Role::Send, None).is_none());
}

/// Between the kick and the moment its socket hears of it a client may have asked for anything.
#[tokio::test(flavor = "multi_thread")]
async fn asking_to_join_in_the_same_breath_as_being_kicked_brings_nobody_back() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    for _ in 0..20 {
        let mut mallory = house.guest(&meeting, "Mallory").await.join().await;
        let joins: Vec<String> = futures_util::future::join(host.kick(&mallory.person.peer.clone()), async {
            let mut ids = Vec::new();
            for _ in 0..20 {
                let request = wire::JoinRoomRequest::default();
                ids.push(mallory.tell(room::JOIN_ROOM, &request).await);
            }
            ids
        })
        .await
        .1;
        mallory.hear::<()>(room::KICK).await;
        for id in joins {
            let _ = mallory.answer::<wire::PeerInfoResponse>(room::JOIN_ROOM, &id).await;
        }
        assert_eq!(mallory.join().await.unwrap_err(), "you were removed from this meeting");
        let gone = wire::GetPeerInfoRequest { peer_id: mallory.peer() };
        assert_eq!(host.refused(room::GET_PEER_INFO, &gone).await, "no such peer in this session");
        assert_eq!(house.count(&meeting), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kicking_all_ends_the_meeting_for_everyone_the_kicker_too() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join_with_media().await;
    let mut bob = house.guest(&meeting, "Bob").await.join_with_media().await;
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted);
    let gone = house.guest(&meeting, "Gone").await;
    drop(gone.join().await);
    house.counts(&meeting, Some(2)).await;
    let session = house.live(&meeting).unwrap().session.clone();

    host.tell(room::KICK_ALL, &edge::KickAllPeersRequest::default()).await;
    for client in [&mut host, &mut bob, &mut wanda] {
        client.hear::<()>(room::KICK_ALL).await;
        assert_eq!(client.hung_up().await, Some(1000));
    }
    assert_eq!(house.live(&meeting), None);
    let record = house.record(&session).await;
    assert_eq!(record.ended.unwrap().reason, EndReason::Closed);
    assert!(record.peers.values().all(|peer| peer.left_at().is_some()));

    let mut back = gone.join().await;
    assert_eq!(back.roster().await, [gone.peer]);
    assert_ne!(house.live(&meeting).unwrap().session, session, "whoever comes now begins another session");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_removes_people_and_ends_sessions_too() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let bob = house.guest(&meeting, "Bob").await;
    let mut laptop = bob.join().await;
    let mut phone = bob.on_another_device().join().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let handle = house.doors.hub.find(meeting.as_str()).unwrap();
    let id = ParticipantId::parse(&bob.participant).unwrap();
    handle.call(move |session, now| session.kick_participants(now, &[id])).await.unwrap();
    assert_eq!(house.count(&meeting), Some(1));
    for client in [&mut laptop, &mut phone] {
        client.hear::<()>(room::KICK).await;
        assert_eq!(client.hung_up().await, Some(1000));
    }
    assert_eq!(alice.heard(room::LEAVE_ROOM).await, 2);
    handle.call(|session, now| session.kick_all(now, &Actor::Api)).await.unwrap().unwrap();
    alice.hear::<()>(room::KICK_ALL).await;
    assert_eq!(house.live(&meeting), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_within_the_grace_can_be_removed() {
    let house = House::with(|config| config.session.grace_secs = 60).await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    let bob = house.guest(&meeting, "Bob").await;
    let client: Client = bob.join().await;
    client.vanish();
    house.counts(&meeting, Some(1)).await;
    host.kick(&bob.peer).await;
    let told: wire::PeerInfoResponse = host.hear(room::LEAVE_ROOM).await;
    assert_eq!(told.peer.unwrap().peer_id, bob.peer);
    assert_eq!(host.roster().await.len(), 1);
}

/// Its client comes back by itself, as whenever its connection broke.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_away_hears_of_it_on_return() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join_with_media().await;
    let bob = house.guest(&meeting, "Bob").await.join_with_media().await.vanish();
    house.counts(&meeting, Some(1)).await;
    host.kick(&bob.peer).await;
    host.forget().await;
    let mut back = bob.connect().await;
    assert_eq!(back.join().await.unwrap_err(), "you were removed from this meeting");
    back.hear::<()>(room::KICK).await;
    assert_eq!(back.hung_up().await, Some(1000), "which tells the client not to come back by itself");
    assert_eq!(host.heard(room::JOIN_ROOM).await, 0);
    assert_eq!(house.count(&meeting), Some(1));
    bob.on_another_device().join().await;
    assert_eq!(house.count(&meeting), Some(2), "a new page comes in with the same token");
}
