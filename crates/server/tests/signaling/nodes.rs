//! Nodes that share a Postgres, as processes of their own: whatever comes to the wrong one, and what happens to people and
//! figures when one is killed or stands still. Without Postgres this is skipped, as the store's tests are.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use salon_doors::rest::{Who, routes};
use salon_store::RunId;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::client::Client;
use crate::house::{Folder, PATIENCE, Person};
use crate::http::Call;
use crate::line::Line;
use crate::node::Node;
use crate::postgres;
use crate::receiver::{Mood, Receiver};
use crate::webhooks::{heard_first, until_counted};

/// Nodes of one cluster.
pub struct Cluster {
    url: String,
    folders: Vec<Folder>,
    nodes: Vec<Option<Node>>,
    /// What all are told beside the usual.
    settings: Vec<String>,
    /// What each is told beside that.
    own: Vec<Vec<String>>,
    /// The way of each to the database, where that can be cut.
    lines: Vec<Line>,
}

impl Cluster {
    pub async fn of(count: usize) -> Option<Self> {
        Self::with(count, Vec::new(), false).await
    }

    /// With these settings; `cuttable`, with a line of its own to the database for each.
    pub async fn with(count: usize, settings: Vec<String>, cuttable: bool) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = postgres::server().await?;
        let name = format!("salon_cluster_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = server.admin().await.unwrap();
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        admin.close().await.unwrap();
        let (folders, nodes, lines) = (Vec::new(), Vec::new(), Vec::new());
        let mut cluster = Self { url: server.url(&name), folders, nodes, settings, own: Vec::new(), lines };
        if cuttable {
            cluster.lines = (0..count).map(|_| Line::to(&cluster.url)).collect::<Option<_>>()?;
        }
        (0..count).for_each(|_| cluster.add(Vec::new()));
        Some(cluster)
    }

    /// One more, with settings of its own.
    pub fn add(&mut self, own: Vec<String>) {
        self.folders.push(Folder::new());
        self.nodes.push(None);
        self.own.push(own);
        self.start(self.nodes.len() - 1);
    }

    /// Starts one that was killed.
    pub fn start(&mut self, at: usize) {
        let data: &Path = &self.folders[at];
        let mut settings = vec![
            format!("database.url={}", self.lines.get(at).map_or(&self.url, |line| &line.url)),
            format!("node.name=n{at}"),
            "session.grace_secs=3".to_owned(),
        ];
        settings.extend(self.settings.iter().cloned());
        settings.extend(self.own[at].iter().cloned());
        if !settings.iter().any(|setting| setting.starts_with("cluster.listen=")) {
            settings.push("cluster.listen=127.0.0.1:0".to_owned());
        }
        self.nodes[at] = Some(Node::with(data, &settings));
    }

    /// No node can renew its claim until what this answers with is rolled back; all else can be read and written.
    pub async fn hold_claims(&self) -> sqlx::PgConnection {
        let mut holder = sqlx::PgConnection::connect(&self.url).await.unwrap();
        holder.execute("begin; lock table nodes in access exclusive mode").await.unwrap();
        holder
    }

    /// No node reaches the database any more.
    pub fn cut(&self) {
        self.lines.iter().for_each(Line::cut);
    }

    /// This one alone does not.
    pub fn cut_off(&self, at: usize) {
        self.lines[at].cut();
    }

    /// All of them do again.
    pub fn mend(&self) {
        self.lines.iter().for_each(Line::mend);
    }

    pub fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().expect("it runs")
    }

    /// `salon drain`, and what it says.
    pub fn drains(&self, node: &str) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_salon"));
        command.args(["drain", node, "--set", &format!("database.url={}", self.url)]);
        let mut drain = command.env_clear().stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(drain.stderr.take().unwrap()).lines().map(Result::unwrap);
        (drain, said)
    }

    pub fn kill(&mut self, at: usize) -> Instant {
        self.nodes[at].take().expect("it runs").kill();
        Instant::now()
    }
}

/// A NATS server, which ends with the test.
struct Nats {
    process: Child,
    url: String,
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nats {
    /// `None` if none is installed.
    fn start() -> Option<Self> {
        // Port -1 is any; the token is asked of everybody.
        let mut command = Command::new("nats-server");
        command.args(["--addr", "127.0.0.1", "--port", "-1", "--auth", "t+ken"]);
        let Ok(mut process) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
            println!("skipped: nats-server is not installed");
            return None;
        };
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let said = "Listening for client connections on ";
        let address = lines.find_map(|line| Some(line.unwrap().split_once(said)?.1.to_owned())).unwrap();
        // What it says later is read, so that it can go on saying it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, url: format!("nats://:t+ken@{address}") })
    }
}

fn minutes(live: &Value) -> f64 {
    live["minutes_consumed"].as_f64().unwrap()
}

/// Asks all of these nodes until what each tells is as wanted; what was told before must not fall, and nothing but 200 and
/// 503 is said.
pub async fn until(cluster: &Cluster, nodes: &[usize], meeting: &str, told: &mut (f64, u64), wanted: impl Fn(&Value) -> bool) {
    let began = Instant::now();
    let path = format!("/meetings/{meeting}/active-session");
    loop {
        let mut all = true;
        for at in nodes {
            let (status, answer) = cluster.node(*at).ask("GET", &path, Value::Null).await;
            assert!(status == 200 || status == 503, "node {at}: {status} {answer}");
            let session = &answer["data"];
            if status == 200 {
                let now = (minutes(session), session["max_concurrent_participants"].as_u64().unwrap());
                assert!(now.0 >= told.0 && now.1 >= told.1, "node {at}: {now:?} after {told:?}");
                *told = now;
            }
            all &= status == 200 && wanted(session);
        }
        if all {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn live_is(count: u64) -> impl Fn(&Value) -> bool {
    move |session| session["live_participants"] == count
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whose_sockets_reach_different_nodes_are_in_one_meeting() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let alice = cluster.node(0).host(&meeting, "Alice").await;
    // Added at the other node, and the token is good at both.
    let bob = cluster.node(1).guest(&meeting, "Bob").await;
    let mut alice = alice.join().await;
    let mut bob_there = bob.clone().at(&cluster.node(1).address).join().await;
    assert_eq!(alice.roster().await.len(), 2);
    assert_eq!(bob_there.roster().await.len(), 2);
    // Media: the answer is that of the node that has the session.
    bob_there.open_transport(false).await.unwrap();
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    // Removed through the node that does not have the session.
    let kicked = json!({ "participant_ids": [bob.participant] });
    let done = cluster.node(1).data("POST", &format!("/meetings/{meeting}/active-session/kick"), kicked).await;
    assert_eq!(done["participants"][0]["id"], bob.participant.as_str());
    bob_there.hung_up().await;
    // It is noted once, by whoever did it, with who asked.
    let noted = noted(cluster.node(0), "POST /meetings/{meeting_id}/active-session/kick").await;
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!((&noted[0]["from"], &noted[0]["outcome"]), (&"127.0.0.1".into(), &"done".into()));
    let subject = json!({ "type": "participant", "id": bob.participant });
    assert!(noted[0]["subjects"].as_array().unwrap().contains(&subject), "{noted:?}");
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(1)).await;
    let all = cluster.node(1).data("POST", &format!("/meetings/{meeting}/active-session/kick-all"), Value::Null).await;
    assert_eq!(all["kicked_participants_count"], 1);
}

/// Whoever is left tells what happened at the node that died, once each and in order, and what happens from then on.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_told_of_everything_when_the_node_of_a_session_dies() {
    let Some(mut cluster) = Cluster::of(2).await else { return };
    let receiver = Receiver::start(Mood::Says(503)).await;
    let all = ["meeting.started", "meeting.ended", "meeting.participantJoined", "meeting.participantLeft"];
    let hook = json!({ "name": "Hook", "url": receiver.url, "events": all });
    let hook = cluster.node(0).data("POST", "/webhooks", hook).await["id"].as_str().unwrap().to_owned();
    cluster.node(0).data("GET", "/events", Value::Null).await;
    let meeting = cluster.node(0).meeting(60).await;
    let (alice, bob) = (cluster.node(0).guest(&meeting, "Alice").await, cluster.node(0).guest(&meeting, "Bob").await);
    let _alice = alice.join().await;
    let _bob = bob.clone().at(&cluster.node(1).address).join().await;
    // It knows, and takes nothing yet: what was told is told again by the other node.
    receiver.hears(1).await;
    cluster.kill(0);
    let mut told = (0.0, 0);
    until(&cluster, &[1], &meeting, &mut told, live_is(0)).await;
    let back = bob.at(&cluster.node(1).address).join().await;
    until(&cluster, &[1], &meeting, &mut told, live_is(1)).await;
    back.leave().await;
    let ended = json!({});
    let _ = cluster.node(1).ask("POST", &format!("/meetings/{meeting}/active-session/kick-all"), ended).await;
    receiver.is(Mood::Says(200));
    until_counted(cluster.node(1), &hook, "PENDING", |count| count == 0).await;
    let feed = cluster.node(1).data("GET", "/events?limit=100", Value::Null).await["events"].clone();
    let happened: Vec<Value> = feed.as_array().unwrap().iter().map(|event| event["payload"].clone()).collect();
    let taken = heard_first(&receiver.taken());
    assert_eq!(taken.into_values().collect::<Vec<_>>(), std::slice::from_ref(&happened), "in order, and nothing else");
    let names: Vec<_> = happened.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let [joined, left] = ["meeting.participantJoined", "meeting.participantLeft"];
    assert_eq!(names.iter().filter(|name| **name == joined).count(), names.iter().filter(|name| **name == left).count());
    assert_eq!((names.first(), names.last()), (Some(&"meeting.started"), Some(&"meeting.ended")), "{names:?}");
}

/// What all share has a bound for each participant, by whichever nodes they come to it.
#[tokio::test(flavor = "multi_thread")]
async fn who_opens_sockets_at_several_nodes_may_open_no_more_of_them() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let alice = cluster.node(0).host(&meeting, "Alice").await;
    let _inside = alice.join().await;
    let (began, mut opened) = (Instant::now(), 1);
    let status = loop {
        let other = alice.on_another_device().at(&cluster.node(opened % 2).address);
        match Client::connect(&other).await {
            Ok(_) => opened += 1,
            Err(status) => break status,
        }
    };
    assert_eq!(status, 429);
    let most = 121.0 + 2.0 * began.elapsed().as_secs_f64();
    assert!(opened as f64 <= most, "{opened} in {:?}", began.elapsed());
}

/// What the audit log has of an action.
async fn noted(node: &Node, action: &str) -> Vec<Value> {
    let call = Call::new(node.address.parse().unwrap(), "GET", "/client/v4/accounts/dev/audit-log?per_page=100");
    let said = call.header("authorization", "Bearer dev-token").send().await;
    assert_eq!(said.status, 200);
    let entries = said.json()["data"].as_array().unwrap().clone();
    entries.into_iter().filter(|entry| entry["action"] == action).collect()
}

/// Every route is asked about a live session at the node that does not have it.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_works_at_every_node() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let mut alice = cluster.node(0).host(&meeting, "Alice").await;
    let mut socket = alice.join().await;
    let live = cluster.node(0).live(&meeting).await.unwrap();
    let session = live["id"].as_str().unwrap().to_owned();
    let zero = "00000000-0000-4000-8000-000000000000";
    let (participant, peer) = (alice.participant.clone(), alice.peer.clone());
    let fill = |route: &str| {
        let part = |part: &str| match part {
            "{account_id}" | "{app_id}" => "dev".to_owned(),
            "{meeting_id}" => meeting.clone(),
            "{session_id}" => session.clone(),
            "{participant_id}" => participant.clone(),
            "{peer_id}" => peer.clone(),
            "{*rest}" => "x".to_owned(),
            part if part.starts_with('{') => zero.to_owned(),
            part => part.to_owned(),
        };
        route.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let mut asked = 0;
    for (route, rule) in routes() {
        // One prefix of three; and what is watched for as long as somebody wants.
        if !(route.starts_with("/client/v4") || route.starts_with("/v2/")) || route.contains("stream") {
            continue;
        }
        let path = fill(&route);
        for (method, body) in [("GET", Value::Null), ("POST", json!({})), ("PATCH", json!({})), ("DELETE", Value::Null)] {
            let live = format!("/client/v4/accounts/dev/realtime/kit/dev/meetings/{meeting}/active-session");
            if ask(cluster.node(0), "GET", &live, &Value::Null, Who::App, &alice).await.0 == 404 {
                // It was ended by one of these.
                socket = alice.on_another_device().join().await;
            }
            let (there, said) = ask(cluster.node(1), method, &path, &body, rule.who, &alice).await;
            assert!(there < 500, "{method} {path}: {there} {said}");
            if method == "GET" {
                assert_eq!(
                    ask(cluster.node(0), method, &path, &body, rule.who, &alice).await.0,
                    there,
                    "{method} {path}: {said}"
                );
            }
            if there < 300 && method == "DELETE" {
                alice = cluster.node(0).host(&meeting, "Alice").await;
            }
            asked += 1;
        }
    }
    drop(socket);
    assert!(asked > 200, "{asked}");
}

/// A request of somebody who may make it.
async fn ask(node: &Node, method: &str, path: &str, body: &Value, who: Who, person: &Person) -> (u16, String) {
    let credential = match who {
        Who::App | Who::Account => "Bearer dev-token".to_owned(),
        Who::OldApp | Who::OldAppOrGuest => format!("Basic {}", BASE64_STANDARD.encode("dev:dev-token")),
        Who::Guest => format!("Bearer {}", person.token),
        Who::Scraper | Who::Anyone => String::new(),
    };
    let began = Instant::now();
    loop {
        let call = Call::new(node.address.parse().unwrap(), method, path).header("authorization", &credential);
        let said = if body.is_null() { call.send().await } else { call.json(body).send().await };
        // On a busy machine a node may miss its renewals for a moment, and says so.
        if said.status != 503 || began.elapsed() > Duration::from_secs(10) {
            return (said.status, String::from_utf8_lossy(&said.body).into_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_details_tell_of_sessions_on_all_nodes() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let (first, second) = (cluster.node(0).meeting(60).await, cluster.node(1).meeting(60).await);
    let (alice, bob) = (cluster.node(0).guest(&first, "Alice").await, cluster.node(1).guest(&second, "Bob").await);
    let _sockets = (alice.join().await, bob.clone().at(&cluster.node(1).address).join().await);
    for at in [0, 1] {
        let listed = cluster.node(at).data("GET", "/sessions?status=LIVE", Value::Null).await;
        let sessions = listed["sessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 2, "{listed}");
        for session in sessions {
            assert_eq!(session["live_participants"], 1);
            let id = session["id"].as_str().unwrap();
            let shown = cluster.node(at).session(id).await;
            assert!(minutes(&shown) >= minutes(session), "{shown} after {session}");
            assert_eq!(cluster.node(at).peers(id).await.len(), 1);
        }
    }
    // What a person's stays and a day add up to comes from both nodes, and does not fall from one to the other.
    let (mut stays, mut day) = ([0.0, 0.0], 0.0);
    for at in [0, 1, 0, 1] {
        for (name, told) in ["Alice", "Bob"].iter().zip(&mut stays) {
            let found = cluster.node(at).data("GET", &format!("/peers?custom_participant_id={name}"), Value::Null).await;
            let stay = found["peers"][0]["duration"].as_f64().unwrap();
            assert!(stay > *told, "{name} at node {at}: {stay} after {told}");
            *told = stay;
        }
        let sums = cluster.node(at).data("GET", "/analytics/daywise", Value::Null).await["session_stats"].clone();
        let minutes = sums["sessions_minutes_consumed"].as_f64().unwrap();
        assert_eq!(sums["sessions_count"], 2);
        assert!(minutes > day && minutes >= stays[0] + stays[1], "node {at}: {minutes} after {day}, with {stays:?}");
        day = minutes;
    }
    // Who is deleted at the wrong node is put out at the right one.
    cluster.node(1).data("DELETE", &format!("/meetings/{first}/participants/{}", alice.participant), Value::Null).await;
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &first, &mut told, live_is(0)).await;
}

/// People are in front of a meeting before its session begins, through different nodes: they are where it will begin, so that
/// nobody's socket has to be closed when it does. A client whose join is cut off waits for 20 s (seen in web SDK 2.0.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_where_people_wait_for_it() {
    let Some(mut cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let people = [cluster.node(0).guest(&meeting, "Alice").await, cluster.node(0).guest(&meeting, "Bob").await];
    let [alice, bob] = &people;
    let (alice, bob) = (alice.clone(), bob.clone().at(&cluster.node(1).address));
    let mut early = Client::connect(&bob).await.unwrap();
    let mut alice = alice.join().await;
    early.join().await.unwrap();
    assert_eq!(early.roster().await.len(), 2);
    assert_eq!(alice.roster().await.len(), 2);
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    // The node at which people waited is gone: they wait at the other.
    let other = cluster.node(1).meeting(60).await;
    let (cleo, dan) = (cluster.node(1).guest(&other, "Cleo").await, cluster.node(0).guest(&other, "Dan").await);
    let waited = Client::connect(&cleo.clone().at(&cluster.node(1).address)).await.unwrap();
    cluster.kill(1);
    drop(waited);
    let mut dan = tokio::time::timeout(PATIENCE, dan.join()).await.unwrap();
    cluster.start(1);
    let mut cleo = cleo.at(&cluster.node(1).address).join().await;
    assert_eq!((dan.roster().await.len(), cleo.roster().await.len()), (2, 2));
    until(&cluster, &[0, 1], &other, &mut (0.0, 0), live_is(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_its_node_is_killed_a_meeting_goes_on_at_another_within_seconds() {
    let Some(mut cluster) = Cluster::of(3).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let (alice, bob) = (cluster.node(0).guest(&meeting, "Alice").await, cluster.node(0).guest(&meeting, "Bob").await);
    let mut here = alice.join().await;
    let mut through = bob.clone().at(&cluster.node(1).address).join().await;
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1, 2], &meeting, &mut told, live_is(2)).await;
    let killed = cluster.kill(0);
    until(&cluster, &[1, 2], &meeting, &mut told, |_| true).await;
    let took = killed.elapsed();
    println!("active-session was true again {took:?} after the kill");
    assert!(took < Duration::from_secs(8), "{took:?}");
    // The socket that went through another node is closed so that its client comes back; the other one broke.
    assert_eq!(through.hung_up().await, Some(1012));
    here.hung_up().await;
    let mut back = bob.clone().at(&cluster.node(1).address).join().await;
    let _also = alice.clone().at(&cluster.node(2).address).join().await;
    assert_eq!(back.roster().await.len(), 2);
    until(&cluster, &[1, 2], &meeting, &mut told, live_is(2)).await;
    let took = killed.elapsed();
    println!("both were back {took:?} after the kill");
    // The killed node comes again and tells the same.
    cluster.start(0);
    until(&cluster, &[0, 1, 2], &meeting, &mut told, live_is(2)).await;
}

/// A node that stands still for a moment loses nothing; for longer, its sessions, and never do two tell of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_keeps_or_loses_its_sessions_and_nobody_is_told_two_things() {
    let Some(cluster) = Cluster::of(2).await else { return };
    for pause_ms in [500, 1_000, 2_000, 5_000] {
        let meeting = cluster.node(0).meeting(60).await;
        let alice = cluster.node(0).guest(&meeting, "Alice").await;
        let mut alice_here = alice.join().await;
        let mut told = (0.0, 0);
        until(&cluster, &[0, 1], &meeting, &mut told, live_is(1)).await;
        let session = cluster.node(1).live(&meeting).await.unwrap()["id"].clone();
        cluster.node(0).stop();
        let stopped = Instant::now();
        while stopped.elapsed() < Duration::from_millis(pause_ms) {
            let path = format!("/meetings/{meeting}/active-session");
            let asking = cluster.node(1);
            let asked = tokio::time::timeout(Duration::from_millis(200), asking.ask("GET", &path, Value::Null)).await;
            if let Ok((200, answer)) = asked {
                let now = minutes(&answer["data"]);
                assert!(now >= told.0, "{now} after {}", told.0);
                told.0 = now;
            }
        }
        cluster.node(0).go_on();
        until(&cluster, &[0, 1], &meeting, &mut told, |found| found["id"] == session).await;
        if pause_ms == 500 {
            // Nobody noticed anything.
            until(&cluster, &[0, 1], &meeting, &mut told, live_is(1)).await;
            assert_eq!(alice_here.roster().await.len(), 1);
        } else if tokio::time::timeout(Duration::from_secs(8), alice_here.hung_up()).await.is_ok() {
            alice_here = alice.clone().at(&cluster.node(1).address).join().await;
        }
        until(&cluster, &[0, 1], &meeting, &mut told, live_is(1)).await;
        drop(alice_here);
    }
}

/// Its recorder stays where it is, and hears all the same that it is to stop.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_of_a_session_that_went_to_another_node_stops_when_it_is_told_there() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let alice = cluster.node(0).guest(&meeting, "Alice").await;
    let mut here = alice.join().await;
    let started = cluster.node(0).data("POST", "/recordings/track", json!({ "meeting_id": meeting })).await;
    let path = format!("/recordings/{}", started["recording"]["id"].as_str().unwrap());
    let becomes = async |wanted: fn(&str) -> bool| {
        let waited = async {
            while !wanted(cluster.node(1).data("GET", &path, Value::Null).await["status"].as_str().unwrap()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.expect("it becomes so");
    };
    becomes(|status| status == "RECORDING").await;
    let mut told = (0.0, 0);
    cluster.node(0).stop();
    until(&cluster, &[1], &meeting, &mut told, |_| true).await;
    cluster.node(0).go_on();
    here.hung_up().await;
    let _there = alice.clone().at(&cluster.node(1).address).join().await;
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(1)).await;
    cluster.node(1).data("PUT", &path, json!({ "action": "stop" })).await;
    becomes(|status| !matches!(status, "INVOKED" | "RECORDING")).await;
}

/// Postgres stops for everybody: no session moves, nobody loses the socket, and nothing that was told falls.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_of_some_seconds_moves_no_session() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let (alice, bob) = (cluster.node(0).guest(&meeting, "Alice").await, cluster.node(0).guest(&meeting, "Bob").await);
    let mut here = alice.join().await;
    let mut through = bob.clone().at(&cluster.node(1).address).join().await;
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    // What nobody can write is as good as a store that is away.
    let mut holder = cluster.hold_claims().await;
    let began = Instant::now();
    let mut refused = 0;
    while began.elapsed() < Duration::from_secs(4) {
        let path = format!("/meetings/{meeting}/active-session");
        for node in [0, 1] {
            let asked = cluster.node(node).ask("GET", &path, Value::Null);
            if let Ok((status, answer)) = tokio::time::timeout(Duration::from_millis(300), asked).await {
                assert!(status == 200 || status == 503, "{status}");
                refused += u32::from(status == 503);
                if status == 200 {
                    assert!(minutes(&answer["data"]) >= told.0);
                    told.0 = minutes(&answer["data"]);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(refused > 0, "who cannot prove that it owns a session says so");
    holder.execute("rollback").await.unwrap();
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    assert_eq!(here.roster().await.len(), 2);
    assert_eq!(through.roster().await.len(), 2, "both sockets are the same as before");
}

/// What is cut, and for whom.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// Nobody reaches Postgres.
    All,
    /// The owner does not.
    Owner,
    /// The owner's questions arrive there, and no answer comes back.
    Answers,
}

/// Cuts the way to Postgres for a while. Nobody is told less than before, or of somebody who is not connected; when it is back
/// everybody gets in again, and is counted. Says how long what took: docs/nodes.md has the figures.
async fn outage(what: Cut, lasts: Duration) {
    let Some(cluster) = Cluster::with(2, Vec::new(), true).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let (alice, bob) = (cluster.node(0).guest(&meeting, "Alice").await, cluster.node(0).guest(&meeting, "Bob").await);
    let people = [alice, bob.at(&cluster.node(1).address)];
    let mut told = (0.0, 0);
    let began = Instant::now();
    let sockets: Vec<_> = [people[0].join().await, people[1].join().await]
        .into_iter()
        .map(|mut socket| {
            tokio::spawn(async move {
                socket.hung_up().await;
                Instant::now()
            })
        })
        .collect();
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    let say = |what: &str, since: Instant, at: Instant| println!("{what} {:.1} s", at.duration_since(since).as_secs_f64());
    println!("--- {what:?} for {lasts:?}");
    match what {
        Cut::All => cluster.cut(),
        Cut::Owner => cluster.cut_off(0),
        Cut::Answers => cluster.lines[0].cut_answers(),
    }
    let (cut, mut answers) = (Instant::now(), [true; 2]);
    while cut.elapsed() < lasts {
        for node in [0, 1] {
            let path = format!("/meetings/{meeting}/active-session");
            let asked = tokio::time::timeout(Duration::from_millis(400), cluster.node(node).ask("GET", &path, Value::Null)).await;
            let status = asked.as_ref().map_or(503, |(status, _)| *status);
            assert!(status == 200 || status == 503, "{status}");
            if (status == 200) != answers[node] {
                answers[node] = status == 200;
                say(
                    &format!("node {node} {} after", if answers[node] { "answers" } else { "says 503, or nothing yet," }),
                    cut,
                    Instant::now(),
                );
            }
            if let Ok((200, answer)) = asked {
                let session = &answer["data"];
                let now = (minutes(session), session["max_concurrent_participants"].as_u64().unwrap());
                assert!(now.0 >= told.0 && now.1 >= told.1, "node {node}: {now:?} after {told:?}");
                assert!(now.0 <= began.elapsed().as_secs_f64() / 30.0, "two people were in for no longer than they were");
                told = now;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.mend();
    let back = Instant::now();
    until(&cluster, &[0, 1], &meeting, &mut told, |_| true).await;
    say("both nodes answer, after the return of Postgres,", back, Instant::now());
    let mut again = Vec::new();
    for ((person, socket), name) in people.iter().zip(sockets).zip(["at the owner", "at the other"]) {
        // Whoever is told of the end comes again; a moment is left to those who are about to be.
        let Ok(closed) = tokio::time::timeout(Duration::from_secs(2), socket).await else {
            println!("the socket {name} stays");
            continue;
        };
        say(&format!("the socket {name} was closed after"), cut, closed.unwrap());
        loop {
            if let Ok(mut client) = Client::connect(person).await
                && client.join().await.is_ok()
            {
                again.push(client);
                break;
            }
            assert!(back.elapsed() < PATIENCE, "{} is not let in", person.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    say("both are counted, after the return of Postgres,", back, Instant::now());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_away_for_six_seconds() {
    outage(Cut::All, Duration::from_secs(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_away_for_twenty_five_seconds() {
    outage(Cut::All, Duration::from_secs(25)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_alone_does_not_reach_postgres() {
    outage(Cut::Owner, Duration::from_secs(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_hears_no_answer_of_postgres() {
    outage(Cut::Answers, Duration::from_secs(8)).await;
}

/// A key that is revoked at one node is refused at another as soon as that hears of it, and everything is as true when nobody
/// hears anything any more.
#[tokio::test(flavor = "multi_thread")]
async fn with_nats_nodes_hear_of_each_other_at_once_and_without_it_they_are_as_true() {
    let Some(nats) = Nats::start() else { return };
    let Some(mut cluster) = Cluster::with(2, vec![format!("cluster.nats_url={}", nats.url)], false).await else { return };
    let keys = "/client/v4/accounts/dev/api-keys";
    let call = async |node: &Node, method: &str, path: &str, secret: &str, body: Value| {
        let call = Call::new(node.address.parse().unwrap(), method, path).header("authorization", &format!("Bearer {secret}"));
        if body.is_null() { call.send().await } else { call.json(&body).send().await }
    };
    let revoked = async |cluster: &Cluster| {
        let made = call(cluster.node(0), "POST", keys, "dev-token", json!({ "scope": "read" })).await.json()["data"].clone();
        let (secret, id) = (made["secret"].as_str().unwrap(), made["id"].as_str().unwrap());
        let apps = "/client/v4/accounts/dev/realtime/kit/apps";
        assert_eq!(call(cluster.node(1), "GET", apps, secret, Value::Null).await.status, 200);
        assert_eq!(call(cluster.node(0), "DELETE", &format!("{keys}/{id}"), "dev-token", Value::Null).await.status, 200);
        let began = Instant::now();
        while call(cluster.node(1), "GET", apps, secret, Value::Null).await.status == 200 {
            assert!(began.elapsed() < PATIENCE, "a key that was revoked is good");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    };
    // Nobody asks the store about a key that was asked for just now.
    let unheard = salon_doors::keys::FRESH / 2;
    // Until both have been let in by NATS.
    let began = Instant::now();
    loop {
        let took = revoked(&cluster).await;
        println!("a key that was revoked at one node was refused at the other after {took:?}");
        if took < unheard {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nobody hears of it");
    }
    let meeting = cluster.node(0).meeting(60).await;
    let alice = cluster.node(0).guest(&meeting, "Alice").await;
    // It begins at the one that is killed.
    let mut here = cluster.node(0).guest(&meeting, "Bob").await.join().await;
    let mut through = alice.clone().at(&cluster.node(1).address).join().await;
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    drop(nats);
    assert!(revoked(&cluster).await >= unheard, "nobody told it");
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
    let killed = cluster.kill(0);
    until(&cluster, &[1], &meeting, &mut told, |_| true).await;
    println!("without NATS active-session was true again {:?} after the kill", killed.elapsed());
    through.hung_up().await;
    here.hung_up().await;
    let _back = alice.clone().at(&cluster.node(1).address).join().await;
    until(&cluster, &[1], &meeting, &mut told, live_is(1)).await;
}

/// A node that is about to be stopped begins no more sessions, and those that it has go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_drained_begins_no_more_sessions_and_cuts_nobody_off() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let (old, new) = (cluster.node(0).meeting(60).await, cluster.node(0).meeting(60).await);
    let mut alice = cluster.node(0).guest(&old, "Alice").await.join().await;
    let (mut drain, mut said) = cluster.drains("n0");
    assert_eq!(said.next().unwrap(), "n0 begins no more sessions, and has 1 left");

    let mut bob = cluster.node(0).guest(&new, "Bob").await.join().await;
    let carol = cluster.node(1).guest(&old, "Carol").await.at(&cluster.node(1).address);
    let _carol = carol.join().await;
    let options = salon_store::OpenOptions { url: cluster.url.clone(), durable: false, max_connections: 2 };
    let store = salon_store::Store::open(&options).await.unwrap();
    let owner = async |meeting: &str| {
        let meeting = salon_core::MeetingId::parse(meeting).unwrap();
        store.live_session_of(&meeting).await.unwrap().expect("it is live").owner_node
    };
    assert_eq!((owner(&old).await, owner(&new).await), ("n0".to_owned(), "n1".to_owned()));
    assert_eq!(alice.roster().await.len(), 2, "it goes on, and people come to it");
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &new, &mut told, live_is(1)).await;

    cluster.node(1).data("POST", &format!("/meetings/{old}/active-session/kick-all"), Value::Null).await;
    assert_eq!(said.next().unwrap(), "n0 begins no more sessions, and has 0 left");
    assert!(drain.wait().unwrap().success());
    assert_eq!(bob.roster().await.len(), 1, "whoever comes through it is not cut off either");
    store.drain_node("n0", false).await.unwrap();
    let _dan = cluster.node(0).guest(&old, "Dan").await.join().await;
    assert_eq!(owner(&old).await, "n0", "it may begin sessions again");
}

/// The port for nodes is for nodes.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_answered_nothing_on_the_port_for_nodes() {
    let Some(cluster) = Cluster::of(1).await else { return };
    let options = salon_store::OpenOptions { url: cluster.url.clone(), durable: false, max_connections: 2 };
    let store = salon_store::Store::open(&options).await.unwrap();
    let nodes = store.nodes(salon_core::Timestamp(0)).await.unwrap();
    let address = nodes[0].address.clone().expect("it says where it is");
    assert!(nodes[0].is_alive && nodes[0].sessions == 0, "{nodes:?}");
    for (path, header) in [("/health", "x"), ("/health", "x-salon-cluster"), ("/internal/sessions", "x-salon-cluster")] {
        let call = Call::new(address.parse().unwrap(), "GET", path).header(header, "00");
        assert_eq!(call.header("x-salon-peer", "127.0.0.1:1").send().await.status, 403, "{path}");
    }
    // On the port for everybody the same names mean nothing.
    let call = Call::new(cluster.node(0).address.parse().unwrap(), "POST", "/internal/sessions");
    assert_ne!(call.header("x-salon-cluster", "00").json(&json!({ "meetings": [] })).send().await.status, 200);
    store.register_node("n9", &RunId::new("r9"), salon_core::Timestamp(0)).await.unwrap();
    assert_eq!(store.nodes(salon_core::Timestamp(0)).await.unwrap().len(), 2);
}
