//! Nothing is acknowledged before it is stored: what happens while the database does not take writes.

use std::time::Duration;

use salon_core::PeerId;
use salon_wire::event_id::room;
use salon_wire::signaling::socket::room as wire;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::client::Client;
use crate::house::{House, PATIENCE, Person};

/// Holds the database's write lock until `release`.
struct Lock(SqliteConnection);

impl Lock {
    async fn on(house: &House) -> Self {
        let mut connection = SqliteConnectOptions::new().filename(house.data.join("salon.db")).connect().await.unwrap();
        sqlx::query("begin immediate").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn release(mut self) {
        sqlx::query("rollback").execute(&mut self.0).await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// As clients do: again until it works.
async fn join_again(person: &Person) -> Client {
    for _ in 0..100 {
        if let Ok(mut client) = Client::connect(person).await {
            client.catch_up().await;
            if client.join().await.is_ok() {
                return client;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} does not get in again", person.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_is_answered_only_when_it_is_stored() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.connect().await;
    let lock = Lock::on(&house).await;
    let id = bob.tell(room::JOIN_ROOM, &wire::JoinRoomRequest::default()).await;
    let early = tokio::time::timeout(Duration::from_millis(500), bob.receive()).await;
    assert!(early.is_err(), "nothing was told before it was stored: {early:?}");
    assert_eq!(house.count(&meeting), Some(1), "nor shown");
    lock.release().await;
    bob.answer::<wire::PeerInfoResponse>(room::JOIN_ROOM, &id).await.unwrap();
    alice.hear::<wire::PeerInfoResponse>(room::JOIN_ROOM).await;
    assert_eq!(house.count(&meeting), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_away_sends_people_back_to_try_again() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let session = house.live(&meeting).unwrap().session;
    let mut bob = house.guest(&meeting, "Bob").await.connect().await;

    let lock = Lock::on(&house).await;
    let why = bob.join().await.unwrap_err();
    assert!(why.contains("cannot be saved"), "{why}");
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.hung_up().await, Some(1011), "{} is to come back", client.person.name);
    }
    assert_eq!(alice.heard_before(room::JOIN_ROOM), 0, "nobody was told of a join that is not stored");
    // The web SDK never opens another socket if it loses one before it is in.
    let again = Client::connect(&alice.person).await.map(drop);
    assert_eq!(again, Err(503), "refused, not let in and sent away");
    lock.release().await;

    let mut alice = join_again(&alice.person).await;
    assert_eq!(house.live(&meeting).unwrap().session, session);
    let mut bob = join_again(&bob.person).await;
    assert_eq!(alice.roster().await, bob.roster().await);
    assert_eq!(house.count(&meeting), Some(2));
    let record = house.record(&session).await;
    let stays = |person: &Person| record.peers[&PeerId::parse(&person.peer).unwrap()].stays.len();
    assert_eq!((stays(&alice.person), stays(&bob.person)), (1, 1), "Alice never left, and Bob came once");
}

/// Other meetings wait for the database too, but none of them is harmed by it being slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_comes_back_in_time_is_noticed_by_nobody() {
    let house = House::open().await;
    let meetings = [house.meeting().await, house.meeting().await, house.meeting().await];
    let mut clients = Vec::new();
    for meeting in &meetings {
        clients.push(house.guest(meeting, "Alice").await.connect().await);
    }
    let lock = Lock::on(&house).await;
    let joins = futures_util::future::join_all(clients.iter_mut().map(|client| client.join()));
    let release = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        lock.release().await;
    };
    let (joined, ()) = tokio::join!(joins, release);
    assert!(joined.into_iter().all(|joined| joined.is_ok()));
    for meeting in &meetings {
        assert_eq!(house.count(meeting), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_let_go_is_seen_to_its_end_also_if_nobody_comes_back() {
    let house = House::with(|config| config.session.grace_secs = 1).await;
    let meeting = house.meeting_kept_alive_for(1).await;
    let alice = house.guest(&meeting, "Alice").await;
    let mut client = alice.join().await;
    let session = house.live(&meeting).unwrap().session;
    let mut bob = house.guest(&meeting, "Bob").await.connect().await;
    let lock = Lock::on(&house).await;
    bob.join().await.unwrap_err();
    client.hung_up().await;
    lock.release().await;

    let ended = async {
        while house.doors.store.live_session_of(&meeting).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the session ends by itself");
    assert!(house.left_at(&session, &alice).await.is_some());
}

/// A mistake of ours in one meeting must stay in that meeting.
#[tokio::test(flavor = "multi_thread")]
async fn a_bug_in_one_session_costs_its_people_a_reconnect_and_others_nothing() {
    let house = House::open().await;
    let (meeting, other) = (house.meeting().await, house.meeting().await);
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let mut bob = house.guest(&other, "Bob").await.join().await;
    let session = house.live(&meeting).unwrap().session;
    let handle = house.doors.hub.find(meeting.as_str()).unwrap();
    handle.call(|_, _| panic!("a bug, made for this test")).await.unwrap_err();

    assert_eq!(alice.hung_up().await, Some(1011));
    let mut alice = join_again(&alice.person).await;
    assert_eq!(alice.roster().await, [alice.peer()]);
    assert_eq!(house.live(&meeting).unwrap().session, session);
    assert_eq!(bob.roster().await, [bob.peer()]);
    assert_eq!(house.count(&other), Some(1));
}

/// With a full disk told minutes fell from 0.598 to 0.076, and a closed tab was counted for more than 13 s.
#[tokio::test(flavor = "multi_thread")]
async fn while_news_cannot_be_saved_nothing_old_is_told_and_no_minute_falls() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let alice = house.guest(&meeting, "Alice").await.join().await;
    let lock = Lock::on(&house).await;
    alice.vanish();
    let mut told = 0.0;
    let refused = async {
        loop {
            let now = house.doors.clock.now();
            let Ok(reading) = house.doors.hub.summary(meeting.as_str(), now) else { return };
            let reading = reading.expect("it is live");
            let (_, minutes) = reading.tell(&house.doors.alive.tell(reading.at(now)).unwrap());
            assert!(minutes >= told);
            told = minutes;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.expect("who may be gone is not told of for long");
    lock.release().await;
    house.counts(&meeting, Some(0)).await;
    let reading = house.doors.hub.summary(meeting.as_str(), house.doors.clock.now()).unwrap().expect("it is live");
    let (_, minutes) = reading.tell(&house.doors.alive.tell(house.doors.clock.now()).unwrap());
    assert!(minutes >= told, "{minutes} after {told}");
}
