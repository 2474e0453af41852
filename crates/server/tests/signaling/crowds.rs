//! Many at once: everyone ends up in one session, and rosters agree with the live answer.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use salon_core::Timestamp;
use salon_store::SessionFilter;
use salon_wire::event_id::room;
use salon_wire::signaling::socket::room as wire;

use crate::client::NOTHING;
use crate::house::{House, dev};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_first_joins_at_once_begin_one_session() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut people = Vec::new();
    for number in 0..50 {
        people.push(house.guest(&meeting, &format!("Guest {number}")).await);
    }
    let mut clients = join_all(people.iter().map(|person| person.connect())).await;
    let joined = join_all(clients.iter_mut().map(|client| client.join())).await;
    assert!(joined.iter().all(|joined| joined.is_ok()));
    let mut sessions = BTreeSet::new();
    for client in &mut clients {
        let info: wire::RoomInfoResponse = client.ask(room::GET_ROOM_INFO, NOTHING).await.unwrap();
        sessions.insert(info.room.unwrap().room_uuid);
    }
    let live = house.live(&meeting).unwrap();
    assert_eq!(sessions, BTreeSet::from([Some(live.session.to_string())]));
    assert_eq!((live.live, live.participants), (50, 50));
    let filter = SessionFilter { meeting: Some(meeting), now: Timestamp(0), ..SessionFilter::default() };
    assert_eq!(house.doors.store.sessions(&dev(), &filter).await.unwrap().total, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_come_and_go_and_everyone_agrees_on_who_is_here() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut people = Vec::new();
    for number in 0..200 {
        people.push(house.guest(&meeting, &format!("Guest {number}")).await);
    }
    let mut here = join_all(people.iter().map(|person| person.join())).await;
    assert_eq!(house.count(&meeting), Some(200));

    // Half of them leave while the other half's sockets break and come back.
    let staying = here.split_off(100);
    let leaving = join_all(here.into_iter().map(|client| client.leave()));
    let coming_back = join_all(staying.into_iter().map(|client| async { client.vanish().join().await }));
    let (mut here, _) = tokio::join!(coming_back, leaving);
    // And as many new devices come in as have left.
    here.extend(join_all(people[..100].iter().map(|person| async { person.on_another_device().join().await })).await);

    house.counts(&meeting, Some(200)).await;
    let expected: BTreeSet<String> = here.iter().map(|client| client.peer()).collect();
    for roster in join_all(here.iter_mut().map(|client| client.roster())).await {
        assert_eq!(roster.into_iter().collect::<BTreeSet<_>>(), expected);
    }
    let live = house.live(&meeting).unwrap();
    assert_eq!((live.live, live.max_concurrent, live.participants), (200, 200, 300));

    join_all(here.into_iter().map(|client| client.leave())).await;
    house.counts(&meeting, Some(0)).await;
    let record = house.record(&live.session).await;
    assert_eq!(record.present_count(), 0);
}

/// What each client heard adds up to what it would see if it asked.
#[tokio::test(flavor = "multi_thread")]
async fn pushes_add_up_to_the_roster() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut watcher = house.guest(&meeting, "Watcher").await.join().await;
    let mut people = Vec::new();
    for number in 0..40 {
        people.push(house.guest(&meeting, &format!("Guest {number}")).await);
    }
    let stays = join_all(people.iter().enumerate().map(|(number, person)| async move {
        let client = person.join().await;
        if number % 3 == 0 {
            client.leave().await;
            return None;
        }
        Some(client)
    }))
    .await;
    house.counts(&meeting, Some(1 + stays.iter().flatten().count() as u32)).await;
    let roster = watcher.roster().await;
    let mut known = BTreeSet::from([watcher.peer()]);
    for (event, peer) in watcher.comings_and_goings().await {
        if event == room::JOIN_ROOM {
            known.insert(peer)
        } else {
            known.remove(&peer)
        };
    }
    assert_eq!(known.into_iter().collect::<Vec<_>>(), roster);
}
