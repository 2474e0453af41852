//! The program of a running server is replaced, by `kill -USR2`: nobody in a meeting, and nobody who asks about it, notices.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use salon_server::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use salon_server::start::notes::{self, Outcome};
use salon_wire::event_id::room;
use salon_wire::signaling::socket::room as wire;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{NOTHING, frame};
use crate::house::{Folder, PATIENCE};
use crate::node::Node;

/// A node whose program lies in a folder of its own, where it can be replaced.
struct Stage {
    folder: Folder,
    node: Node,
}

impl Stage {
    fn open() -> Self {
        let folder = Folder::new();
        let program = folder.join("salon");
        link(&program);
        std::fs::create_dir(folder.join("data")).unwrap();
        let settings = ["session.grace_secs=5".to_owned(), "limits.session_keep_alive_min_secs=1".to_owned()];
        let node = Node::of(&program, &folder.join("data"), &settings);
        Self { folder, node }
    }

    fn last(&self) -> Outcome {
        notes::last(&self.folder.join("data"))
    }

    /// Tells it to upgrade and waits for what comes of that.
    async fn upgrade(&self) -> Result<(), String> {
        let before = self.last().number;
        self.node.upgrade();
        let done = async {
            while self.last().number == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.expect("it says what came of the upgrade");
        self.last().failed.map_or(Ok(()), Err)
    }

    /// From now on this script lies where the program was.
    fn replace(&self, script: &str) {
        let beside = self.folder.join("next");
        std::fs::write(&beside, script).unwrap();
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(beside, self.folder.join("salon")).unwrap();
    }
}

/// A program that says it can begin, and then does not.
const COMES_TO_NOTHING: &str = concat!(
    "#!/bin/sh\nif [ \"$1\" = preflight ]; then exit 0; fi\nexec ",
    env!("CARGO_BIN_EXE_salon"),
    " \"$@\" --set=no.such=1\n"
);

/// The program under test, by another name.
fn link(at: &Path) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_salon"));
    if std::fs::hard_link(&program, at).is_err() {
        std::fs::copy(&program, at).unwrap();
    }
}

/// A connection that asks one thing after the other.
struct Asker {
    stream: TcpStream,
    request: String,
}

impl Asker {
    async fn new(node: &Node, meeting: &str) -> Self {
        let path = format!("/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}/meetings/{meeting}/active-session");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {DEV_TOKEN}\r\n\r\n", node.address);
        Self { stream: TcpStream::connect(&node.address).await.unwrap(), request }
    }

    async fn ask(&mut self) -> Value {
        self.stream.write_all(self.request.clone().as_bytes()).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> Value {
        let mut said = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&said).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() >= length.expect("answers have a length") {
                    assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
                    return serde_json::from_str::<Value>(body).unwrap()["data"].take();
                }
            }
            let read = self.stream.read_buf(&mut said).await.unwrap();
            assert!(read > 0, "the connection is over after {text:?}");
        }
    }
}

/// Asks twenty times a second, over a connection that stays or over new ones, until told to stop: three people are live all the
/// time, in the same session, and minutes never fall. Answers with how often it asked.
async fn asks(node: &Node, meeting: &str, stays: bool, stop: Arc<AtomicBool>) -> usize {
    let mut asker = Asker::new(node, meeting).await;
    let first = asker.ask().await;
    let (mut minutes, mut asked) = (0.0, 0);
    while !stop.load(Ordering::Relaxed) {
        if !stays {
            asker = Asker::new(node, meeting).await;
        }
        let live = asker.ask().await;
        assert_eq!((&live["id"], &live["live_participants"]), (&first["id"], &3.into()));
        let now = live["minutes_consumed"].as_f64().unwrap();
        assert!(now >= minutes, "{now} minutes after {minutes}");
        (minutes, asked) = (now, asked + 1);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_closes_no_socket_and_nobody_who_asks_notices() {
    let stage = Stage::open();
    let node = &stage.node;
    let meeting = node.meeting(60).await;
    let mut host = node.host(&meeting, "Host").await.join_with_media().await;
    let mut ann = node.guest(&meeting, "Ann").await.join_with_media().await;
    let bob = node.guest(&meeting, "Bob").await;
    let mut bob = bob.join_with_media().await;
    let mut wanda = node.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted);
    let mut zoe = node.guest(&meeting, "Zoe").await.connect().await;
    let before = node.live(&meeting).await.unwrap();
    for client in [&mut host, &mut ann, &mut bob, &mut wanda, &mut zoe] {
        client.forget().await;
    }

    // Half a request and half a message are on their way, and one of each has come to nothing yet.
    let mut half = Asker::new(node, &meeting).await;
    let (first, rest) = (half.request[..40].to_owned(), half.request[40..].to_owned());
    half.stream.write_all(first.as_bytes()).await.unwrap();
    let mut silent = Asker::new(node, &meeting).await;
    let mut idle = Asker::new(node, &meeting).await;
    idle.ask().await;
    let stop = Arc::new(AtomicBool::new(false));
    let upgrades = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(stage.upgrade().await, Ok(()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.store(true, Ordering::Relaxed);
    };
    let chatter = async {
        let mut said = 0;
        while !stop.load(Ordering::Relaxed) {
            ann.catch_up().await;
            bob.catch_up().await;
            said += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        said
    };
    let asking = |stays| asks(node, &meeting, stays, stop.clone());
    let ((), said, asked, anew) = tokio::join!(upgrades, chatter, asking(true), asking(false));
    assert!(said > 10 && asked > 10 && anew > 10, "{said} {asked} {anew}");

    half.stream.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(half.hear().await["id"], before["id"]);
    assert_eq!(silent.ask().await["id"], before["id"]);
    assert_eq!(idle.ask().await["id"], before["id"]);
    // Everybody is where they were: those in hear of each other, who waits is let in, who was about to join joins.
    for client in [&mut host, &mut ann, &mut bob, &mut wanda, &mut zoe] {
        client.catch_up().await;
        let told = client.told_of_by_now().await;
        assert!(told.is_empty(), "{} was told {told:?}", client.person.name);
    }
    host.tell(room::GET_WAITING_ROOM_REQUESTS, NOTHING).await;
    let waiting: wire::GetWaitingRoomRequests = host.hear(room::GET_WAITING_ROOM_REQUESTS).await;
    assert_eq!(waiting.requests.len(), 1);
    host.tell(room::ACCEPT_WAITING_ROOM_REQUESTS, &wire::AcceptWaitingRoomRequests { user_ids: vec![wanda.user()] }).await;
    wanda.hear::<()>(room::WAITING_ROOM_REQUEST_ACCEPTED).await;
    assert!(!wanda.join().await.unwrap().waitlisted);
    zoe.join().await.unwrap();
    assert_eq!(ann.heard(room::JOIN_ROOM).await, 2);
    let live = node.live(&meeting).await.unwrap();
    assert_eq!((&live["id"], &live["live_participants"]), (&before["id"], &5.into()));
    bob.leave().await;
    let session = before["id"].as_str().unwrap();
    assert_eq!(node.peers(session).await.len(), 5, "nobody came twice");

    // A socket that is lost is within its grace as ever.
    let ann = ann.vanish();
    let gone = async {
        while node.live(&meeting).await.unwrap()["live_participants"] != 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it is noticed");
    assert_eq!(stage.upgrade().await, Ok(()));
    assert_eq!(node.live(&meeting).await.unwrap()["live_participants"], 3);
    let _ann = ann.join().await;
    assert_eq!(node.live(&meeting).await.unwrap()["live_participants"], 4);
    assert_eq!(node.peers(session).await.len(), 5, "she is back, not new");

    let Stage { node, folder } = stage;
    assert!(node.ends().success(), "SIGTERM stops it as ever");
    assert_eq!(zoe.hung_up().await, Some(1012));
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_message_is_finished_by_the_next_program() {
    let stage = Stage::open();
    let meeting = stage.node.meeting(60).await;
    let mut ann = stage.node.guest(&meeting, "Ann").await.join().await;
    let own = wire::GetPeerInfoRequest { peer_id: ann.peer() };
    let Message::Binary(payload) = frame(room::GET_PEER_INFO, "one", &own) else { panic!("frames are binary") };
    // Masked with nothing.
    let whole = [&[0x82, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], &payload].concat();
    for cut in [1, 2, 5, 6, 20] {
        ann.raw(&whole[..cut]).await;
        assert_eq!(stage.upgrade().await, Ok(()));
        ann.raw(&whole[cut..]).await;
        ann.answer::<()>(room::GET_PEER_INFO, "one").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_begin_changes_nothing() {
    let stage = Stage::open();
    let meeting = stage.node.meeting(60).await;
    let mut ann = stage.node.guest(&meeting, "Ann").await.join().await;
    let before = stage.node.live(&meeting).await.unwrap();
    stage.replace("#!/bin/sh\necho it is broken >&2\nexit 3\n");
    let why = stage.upgrade().await.unwrap_err();
    assert!(why.ends_with("cannot begin: it is broken"), "{why}");
    stage.replace("no program at all");
    assert!(stage.upgrade().await.unwrap_err().contains("cannot be started"));
    std::fs::remove_file(stage.folder.join("salon")).unwrap();
    assert!(stage.upgrade().await.unwrap_err().contains("cannot be started"));

    // One that can, and then does not, gives everything back to the one that ran.
    stage.replace(COMES_TO_NOTHING);
    let why = stage.upgrade().await.unwrap_err();
    assert!(why.contains("no.such"), "{why}");
    ann.catch_up().await;
    assert_eq!(stage.node.live(&meeting).await.unwrap()["live_participants"], 1);

    // And the next good one is taken, told twice.
    std::fs::remove_file(stage.folder.join("salon")).unwrap();
    link(&stage.folder.join("salon"));
    stage.node.upgrade();
    assert_eq!(stage.upgrade().await, Ok(()));
    ann.catch_up().await;
    let after = stage.node.live(&meeting).await.unwrap();
    assert_eq!((&after["id"], &after["live_participants"]), (&before["id"], &1.into()));
}

/// A program is executed with signals held back, and has none of its path left if it comes back.
#[tokio::test(flavor = "multi_thread")]
async fn recorders_of_a_program_that_took_over_or_came_back_run_and_hear_signals() {
    let stage = Stage::open();
    let node = &stage.node;
    let meeting = node.meeting(60).await;
    let _ann = node.guest(&meeting, "Ann").await.join().await;
    let records = async || {
        let started = node.data("POST", "/recordings/track", json!({ "meeting_id": meeting })).await;
        let path = format!("/recordings/{}", started["recording"]["id"].as_str().unwrap());
        let begun = async {
            while node.data("GET", &path, Value::Null).await["status"] != "RECORDING" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.expect("it is recorded");
        assert_eq!(node.children(), [0]);
        node.data("PUT", &path, json!({ "action": "stop" })).await;
        let ended = async {
            while !node.children().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the recorder ends");
    };
    assert_eq!(stage.upgrade().await, Ok(()));
    records().await;
    stage.replace(COMES_TO_NOTHING);
    assert!(stage.upgrade().await.unwrap_err().contains("no.such"));
    records().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_came_of_it() {
    let stage = Stage::open();
    let data = stage.folder.join("data");
    let upgrade = || {
        let said =
            std::process::Command::new(env!("CARGO_BIN_EXE_salon")).arg("upgrade").arg("--data").arg(&data).output().unwrap();
        (said.status.success(), String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap())
    };
    let (done, said) = upgrade();
    assert!(done && said.contains("runs Salon"), "{said}");
    stage.replace("#!/bin/sh\necho it is broken >&2\nexit 3\n");
    let (done, said) = upgrade();
    assert!(!done && said.contains("the server runs on as it was") && said.contains("it is broken"), "{said}");
    let Stage { node, folder } = stage;
    node.ends();
    let (done, said) = upgrade();
    assert!(!done && said.contains("no server runs"), "{said}");
    drop(folder);
}
