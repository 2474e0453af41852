//! The server is killed in the middle of meetings, and goes on with them when it is back.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use crate::house::{Folder, PATIENCE, Person};
use crate::node::{Node, now};

/// How far the record may be from the moment of the kill: the node notes ten times a second that it is alive, and a
/// test machine is slow.
const ABOUT_MS: i64 = 1_500;

fn minutes(live: &Value) -> f64 {
    live["minutes_consumed"].as_f64().unwrap()
}

fn ms(at: &Value) -> i64 {
    salon_doors::rfc3339::parse_rfc3339(at.as_str().unwrap()).unwrap().0
}

async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{what} does not come true"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_goes_on_after_the_server_was_killed() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let (alice, bob) = (node.guest(&meeting, "Alice").await, node.guest(&meeting, "Bob").await);
    let sockets = (alice.join().await, bob.join().await);
    let before = node.live(&meeting).await.unwrap();
    assert_eq!((&before["live_participants"], &before["status"]), (&2.into(), &"LIVE".into()));
    let killed = node.kill();
    drop(sockets);

    let node = Node::start(&data);
    let live = node.live(&meeting).await.unwrap();
    assert_eq!(live["id"], before["id"], "it is the same session");
    assert_eq!(live["live_participants"], 0);
    assert!(minutes(&live) >= minutes(&before), "minutes that were told do not shrink");
    let alice = alice.at(&node.address);
    let mut back = alice.join().await;
    let live = node.live(&meeting).await.unwrap();
    assert_eq!((&live["id"], &live["live_participants"]), (&before["id"], &1.into()));

    let session = before["id"].as_str().unwrap();
    let left_at = until("that Bob has left", async || node.left_at(session, &bob).await).await;
    assert!((left_at - killed).abs() < ABOUT_MS, "Bob left when the server died, not {} ms after", left_at - killed);
    assert_eq!(back.roster().await, [alice.peer.as_str()]);
    assert_eq!(node.left_at(session, &alice).await, None);
    let live = node.live(&meeting).await.unwrap();
    assert_eq!((&live["live_participants"], &live["max_concurrent_participants"]), (&1.into(), &2.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_crashes_in_a_row_lose_nobody_and_no_minute() {
    let data = Folder::new();
    let mut node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let mut people = vec![node.guest(&meeting, "Alice").await, node.guest(&meeting, "Bob").await];
    let began = now();
    let mut sockets = join_all(&people).await;
    let first = node.live(&meeting).await.unwrap();
    let mut told = minutes(&first);
    for crash in 1..=5 {
        let last = node.live(&meeting).await.unwrap();
        assert!(minutes(&last) >= told, "crash {crash}");
        told = minutes(&last);
        node.kill();
        sockets.clear();
        node = Node::start(&data);
        people = people.into_iter().map(|person| person.at(&node.address)).collect();
        let live = node.live(&meeting).await.unwrap();
        assert_eq!((&live["id"], &live["live_participants"]), (&first["id"], &0.into()), "crash {crash}");
        assert!(minutes(&live) >= told, "crash {crash}: {} after {told}", minutes(&live));
        sockets = join_all(&people).await;
        let live = node.live(&meeting).await.unwrap();
        assert_eq!((&live["id"], &live["live_participants"]), (&first["id"], &2.into()), "crash {crash}");
        assert_eq!(live["max_concurrent_participants"], 2, "crash {crash}");
        told = minutes(&live);
    }
    assert!(told <= 2.0 * (now() - began) as f64 / 60_000.0, "nor are minutes made up");
}

async fn join_all(people: &[Person]) -> Vec<crate::client::Client> {
    let mut sockets = Vec::new();
    for person in people {
        sockets.push(person.join().await);
    }
    sockets
}

#[tokio::test(flavor = "multi_thread")]
async fn every_join_that_was_answered_is_remembered() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let mut clients = Vec::new();
    for number in 0..60 {
        clients.push(node.guest(&meeting, &format!("Guest {number}")).await.connect().await);
    }
    let answered = Mutex::new(Vec::new());
    let joining = async {
        for wave in clients.chunks_mut(6) {
            let joined = wave.iter_mut().map(|client| async {
                if client.join().await.is_ok() {
                    answered.lock().unwrap().push(client.peer());
                }
            });
            futures_util::future::join_all(joined).await;
        }
    };
    let killing = async {
        while answered.lock().unwrap().len() < 25 {
            tokio::task::yield_now().await;
        }
        node.kill();
    };
    tokio::join!(joining, killing);
    let answered = answered.into_inner().unwrap();
    assert!((25..60).contains(&answered.len()), "it was killed in the middle: {} were answered", answered.len());

    let node = Node::start(&data);
    let session = node.live(&meeting).await.unwrap();
    let remembered = node.peers(session["id"].as_str().unwrap()).await;
    let forgotten: Vec<_> = answered.iter().filter(|peer| !remembered.contains(peer)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_empty_when_the_server_died_ends_by_its_own_rule() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(2).await;
    let alice = node.guest(&meeting, "Alice").await;
    let client = alice.join().await;
    let session = node.live(&meeting).await.unwrap()["id"].as_str().unwrap().to_owned();
    client.leave().await;
    let left_at = until("that Alice has left", async || node.left_at(&session, &alice).await).await;
    node.kill();
    let node = Node::start(&data);
    until("that the session has ended", async || node.live(&meeting).await.is_none().then_some(())).await;
    let ended = node.session(&session).await;
    assert_eq!((&ended["status"], ms(&ended["ended_at"])), (&"ENDED".into(), left_at + 2_000));
    assert_eq!(node.left_at(&session, &alice).await, Some(left_at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_people_never_come_back_ends() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(1).await;
    let alice = node.guest(&meeting, "Alice").await;
    let client = alice.join().await;
    let session = node.live(&meeting).await.unwrap()["id"].as_str().unwrap().to_owned();
    let killed = node.kill();
    drop(client);
    let node = Node::start(&data);
    until("that the session has ended", async || node.live(&meeting).await.is_none().then_some(())).await;
    let left_at = node.left_at(&session, &alice).await.unwrap();
    assert!((left_at - killed).abs() < ABOUT_MS, "{} ms after the kill", left_at - killed);
    let ended = node.session(&session).await;
    assert!(ms(&ended["ended_at"]) >= left_at);
    assert_eq!(ended["live_participants"], 0);

    let alice = alice.at(&node.address);
    let _back = alice.join().await;
    assert_ne!(node.live(&meeting).await.unwrap()["id"], session.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_ends_a_session_that_was_left_behind() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let client = node.guest(&meeting, "Alice").await.join().await;
    let session = node.live(&meeting).await.unwrap()["id"].as_str().unwrap().to_owned();
    node.kill();
    drop(client);
    let end = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_salon"));
        command.args(["session", "end", &session]).arg(format!("--set=data={}", data.display()));
        command.env_clear().output().unwrap()
    };
    let ended = end();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success() && said.starts_with(&format!("the session {session} ended at ")), "{ended:?}");
    let again = end();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is over already"), "{again:?}");
    let node = Node::start(&data);
    assert!(node.live(&meeting).await.is_none());
    let ended = node.session(&session).await;
    assert_eq!((&ended["status"], &ended["live_participants"]), (&"ENDED".into(), &0.into()));
}
