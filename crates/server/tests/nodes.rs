//! Nodes that share a Postgres, which cannot be reached for a while; and nodes whose clock, file or record is wrong.
//! Each has a line of its own to the database. Without Postgres what needs it is skipped, as the store's tests are.

#[path = "nodes/line.rs"]
mod line;
#[path = "../../store/tests/store/postgres.rs"]
mod postgres;
#[path = "support/node.rs"]
mod support;
#[path = "support/watcher.rs"]
#[allow(dead_code, reason = "the REST tests use the rest of it")]
mod watcher;

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use line::Line;
use salon_core::event::RecordedBy;
use salon_core::notice::LivestreamStatus;
use salon_core::{AppId, MeetingId, Timestamp};
use salon_store::{OpenOptions, RunId, Store};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use support::{Said, TestApp};
use watcher::{Folded, Stream};

/// How long anything that should happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A database of a test's own.
struct Database {
    url: String,
}

impl Database {
    async fn make() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = postgres::server().await?;
        let name = format!("salon_nodes_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = server.admin().await.expect("the server answers");
        admin.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a database can be made");
        admin.close().await.expect("it closes");
        Some(Self { url: server.url(&name) })
    }

    async fn raw(&self, sql: String) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the server answers");
        connection.execute(AssertSqlSafe(sql)).await.expect("the statement is good");
        connection.close().await.expect("it closes");
    }

    async fn store(&self) -> Store {
        let options = OpenOptions { url: self.url.clone(), durable: false, max_connections: 2 };
        Store::open(&options).await.expect("the database opens")
    }

    /// A node over a line of its own.
    async fn node(&self, name: &str) -> Option<(TestApp, Line)> {
        let line = Line::to(&self.url)?;
        let (url, name) = (line.url.clone(), name.to_owned());
        let app = TestApp::with(|config| {
            config.database.url = url.as_str().into();
            config.node.name = name;
            config.cluster.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        })
        .await;
        Some((app, line))
    }
}

async fn active(app: &TestApp, meeting: &str) -> Said {
    app.get(&format!("/meetings/{meeting}/active-session")).await
}

fn minutes(session: &Value) -> f64 {
    session["minutes_consumed"].as_f64().expect("a number")
}

/// Asks until what is told is as wanted; what was told before must not fall, and nothing but 200 and 503 is said.
async fn until(app: &TestApp, meeting: &str, told: &mut f64, wanted: impl Fn(u16, &Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let said = active(app, meeting).await;
        let session = if said.status == 200 { said.json()["data"].clone() } else { Value::Null };
        if said.status == 200 {
            let now = minutes(&session);
            assert!(now >= *told, "{now} after {told}: {} ms less", (*told - now) * 60_000.0);
            *told = now;
        }
        if wanted(said.status, &session) {
            return session;
        }
        assert!(said.status == 200 || said.status == 503, "{}", said.status);
        assert!(began.elapsed() < PATIENCE, "it does not come true: {} {session}", said.status);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// 180 s after an outage of 12 s a client that never came back was still counted, and minutes had fallen.
#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_of_the_store_nobody_is_counted_for_ever_and_no_minute_falls() {
    let Some(database) = Database::make().await else { return };
    let Some((app, line)) = database.node("n1").await else { return };
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut told = 0.0;
    until(&app, &meeting, &mut told, |_, session| minutes(session) > 0.0).await;
    line.cut();
    let cut = Instant::now();
    until(&app, &meeting, &mut told, |status, _| status == 503).await;
    while app.running.doors.hub.find(&meeting).is_some() {
        assert!(cut.elapsed() < Duration::from_secs(9), "a claim that cannot be renewed ends by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    line.mend();
    let after = until(&app, &meeting, &mut told, |_, session| session["live_participants"] == 0).await;
    assert_eq!(after["max_concurrent_participants"], 1);
}

/// Players give up on what is not there, and come back to what is not there for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_livestream_whose_node_is_away_for_a_moment_is_not_told_to_be_gone() {
    let Some(database) = Database::make().await else { return };
    let Some((asked, _line)) = database.node("n1").await else { return };
    let Some((away, line)) = database.node("n2").await else { return };
    let doors = &away.running.doors;
    let (app, now) = (AppId::parse("dev").expect("an id"), doors.clock.now());
    let by = (RecordedBy::Meeting, "http://127.0.0.1".to_owned());
    let mut row = salon_doors::flows::livestreams::independent(&doors.livestreams, &app, None, by, now);
    row.status = LivestreamStatus::Live;
    doors.store.create_livestream(&row).await.expect("a store");
    let path = format!("/live/{}/index.m3u8", row.secret);
    let watch = async || asked.bare("GET", &path).send().await;
    assert_eq!(watch().await.status, 404, "its node says that there is nothing yet");
    line.cut();
    let cut = Instant::now();
    while watch().await.status == 404 {
        assert!(cut.elapsed() < Duration::from_secs(10), "it is told to be gone");
    }
    for _ in 0..2 {
        let told = watch().await;
        assert_eq!((told.status, told.header("retry-after")), (503, Some("1")));
    }
    line.mend();
    let began = Instant::now();
    while watch().await.status != 404 {
        assert!(began.elapsed() < PATIENCE, "its node answers again");
    }
}

/// With the database hanging callers at 1 Hz got nothing, because every second one of them asked it for connected meetings.
#[tokio::test(flavor = "multi_thread")]
async fn who_owns_a_session_answers_without_the_database() {
    let Some(database) = Database::make().await else { return };
    let Some((app, line)) = database.node("n1").await else { return };
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    for _ in 0..3 {
        assert_eq!(active(&app, &meeting).await.status, 200);
        // By now it is time to ask for connected meetings once more.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        line.cut();
        let asked = tokio::time::timeout(Duration::from_millis(500), active(&app, &meeting)).await;
        assert_eq!(asked.expect("an answer").status, 200);
        line.mend();
        until(&app, &meeting, &mut 0.0, |status, _| status == 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_at_another_node_and_what_either_told_does_not_fall() {
    let Some(database) = Database::make().await else { return };
    let Some((first, line)) = database.node("n1").await else { return };
    let Some((second, _line)) = database.node("n2").await else { return };
    let meeting = first.meeting("Planning").await;
    first.enter(&meeting, "ada").await;
    let mut told = 0.0;
    until(&first, &meeting, &mut told, |_, session| minutes(session) > 0.0).await;
    line.cut();
    until(&first, &meeting, &mut told, |status, _| status == 503).await;
    let after = until(&second, &meeting, &mut told, |_, session| session["live_participants"] == 0).await;
    line.mend();
    // It is another's now, as the first finds out; both tell the same.
    let same = until(&first, &meeting, &mut told, |status, _| status == 200).await;
    assert_eq!((&after["id"], &after["live_participants"]), (&same["id"], &same["live_participants"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_name_was_taken_is_not_healthy_and_ends() {
    let Some(database) = Database::make().await else { return };
    let Some((app, _line)) = database.node("n1").await else { return };
    assert_eq!(app.bare("GET", "/health").send().await.status, 200);
    let other = RunId::new("another run");
    database.store().await.register_node("n1", &other, Timestamp(1)).await.expect("a run registers");
    within(app.running.doors.hub.taken()).await;
    assert_eq!(app.bare("GET", "/health").send().await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_gives_up_others_take_over_at_once() {
    let Some(database) = Database::make().await else { return };
    let Some((first, _first)) = database.node("n1").await else { return };
    let Some((second, _second)) = database.node("n2").await else { return };
    let meeting = first.meeting("Planning").await;
    first.enter(&meeting, "ada").await;
    assert_eq!(active(&first, &meeting).await.status, 200);
    first.running.doors.stop.cancel();
    first.running.doors.hub.let_go();
    first.running.doors.hub.leave().await.expect("the store hears it");
    let began = Instant::now();
    until(&second, &meeting, &mut 0.0, |_, session| session["live_participants"] == 0).await;
    assert!(began.elapsed() < Duration::from_millis(salon_store::NODE_DEAD_MS as u64 / 2), "after {:?}", began.elapsed());
}

/// Whoever watches need not know which node runs the session, nor that it has gone to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_watched_on_any_node_and_goes_on_at_another() {
    let Some(database) = Database::make().await else { return };
    let Some((first, _first)) = database.node("n1").await else { return };
    let Some((second, _second)) = database.node("n2").await else { return };
    let meeting = first.meeting("Planning").await;
    let watch = async |app: &TestApp, last: Option<&str>| {
        let path = format!("{}/meetings/{meeting}/active-session/people/stream?wait=1", support::KIT);
        let mut headers = vec![("authorization", "Bearer dev-token")];
        headers.extend(last.map(|last| ("last-event-id", last)));
        Stream::open(app.running.addr, &path, &headers).await.expect("a stream")
    };
    let (mut here, mut there) = (watch(&first, None).await, watch(&second, None).await);
    let path = format!("{}/active-sessions/stream", support::KIT);
    let mut board = Stream::open(second.running.addr, &path, &[("authorization", "Bearer dev-token")]).await.expect("a stream");
    let (_, ada) = first.enter(&meeting, "ada").await;
    first.enter(&meeting, "bob").await;
    first.leave(&meeting, &ada).await;
    let (mut near, mut far) = (Folded::default(), Folded::default());
    for (stream, folded) in [(&mut here, &mut near), (&mut there, &mut far)] {
        while folded.told.last().is_none_or(|event| event.data["kind"] != "peer_left") && folded.now["live_participants"] != 1 {
            folded.take(&stream.next().await.expect("it goes on"));
        }
        while folded.now["people"].as_array().is_none_or(|people| people.len() != 1) {
            folded.take(&stream.next().await.expect("it goes on"));
        }
    }
    assert_eq!(Folded::of_record(&near.now), Folded::of_record(&far.now));
    let path = format!("/meetings/{meeting}/active-session/people");
    let far_list = second.get(&path).await.expect(200)["data"].clone();
    // The node that runs the session answers.
    assert_eq!((far_list.get("elsewhere"), &far_list["waiting"]), (None, &serde_json::json!([])));
    assert!(far_list["quality"].is_array(), "{far_list}");
    assert_eq!(Folded::of_record(&far_list), Folded::of_record(&first.get(&path).await.expect(200)["data"]));
    let line = loop {
        let event = board.hear("sessions").await;
        if event.data["sessions"][0]["seq"] == far.now["seq"] {
            break event.data["sessions"][0].clone();
        }
    };
    assert_eq!((&line["node"], &line["live_participants"]), (&"n1".into(), &1.into()));
    // What only the first knows, the second asks it for.
    let zoe = first.participant(&meeting, "group_call_guest", "zoe").await["id"].as_str().expect("an id").to_owned();
    first.join(&zoe).await;
    for node in [&first, &second] {
        let listed = node.get("/active-sessions").await.expect(200)["data"]["sessions"][0].clone();
        assert_eq!((&listed["waiting"], &listed["node"]), (&1.into(), &"n1".into()));
    }
    while board.hear("sessions").await.data["sessions"][0]["waiting"] != 1 {}
    // What one node has told, the other goes on from, also of a session that it has not seen yet.
    let other = first.meeting("Elsewhere").await;
    let path = |query: &str| format!("{}/meetings/{other}/active-session/people/stream?wait=1{query}", support::KIT);
    let open = async |app: &TestApp, query: &str| {
        Stream::open(app.running.addr, &path(query), &[("authorization", "Bearer dev-token")]).await.expect("a stream")
    };
    let mut waits = open(&second, "").await;
    waits.hear("none").await;
    let mut sees = open(&first, "").await;
    first.enter(&other, "eve").await;
    let id = sees.hear("snapshot").await.id.expect("an id");
    let mut goes_on = open(&second, &format!("&after={id}")).await;
    first.enter(&other, "zoe").await;
    assert_eq!(goes_on.next().await.expect("it goes on").name, "change");
    // This one is the first node's, through the second.
    let mut moved = watch(&second, near.last_id.clone().as_deref()).await;
    first.running.doors.stop.cancel();
    first.running.doors.hub.let_go();
    first.running.doors.hub.leave().await.expect("the store hears it");
    let bye = moved.hear("bye").await.data;
    assert_eq!((&bye["reason"], &bye["resume"]), (&"shutdown".into(), &true.into()));
    assert!(moved.next().await.is_none(), "it ends");
    moved = watch(&second, near.last_id.clone().as_deref()).await;
    for (stream, folded) in [(&mut there, &mut far), (&mut moved, &mut near)] {
        let resets = folded.resets;
        while folded.now["live_participants"] != 0 {
            folded.take(&stream.next().await.expect("it goes on"));
        }
        assert_eq!(folded.resets, resets, "it was told what changed");
    }
    assert_eq!(Folded::of_record(&near.now), Folded::of_record(&far.now));
    while board.hear("sessions").await.data["sessions"][0]["node"] != "n2" {}
}

/// One session of a record that this release cannot read is live for ever, until somebody ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_told_of_by_nobody_and_can_be_ended() {
    let Some(database) = Database::make().await else { return };
    let Some((first, _first)) = database.node("n1").await else { return };
    let Some((second, _second)) = database.node("n2").await else { return };
    let meeting = first.meeting("Planning").await;
    first.enter(&meeting, "ada").await;
    let session = active(&first, &meeting).await.expect(200)["data"]["id"].as_str().expect("an id").to_owned();
    first.running.doors.stop.cancel();
    first.running.doors.hub.let_go();
    database
        .raw(format!(
            "insert into session_events select session_id, seq + 1, at_ms, 'of_a_later_release', '{{}}' from session_events \
             where session_id = '{session}' order by seq desc limit 1; \
             update sessions set last_seq = last_seq + 1 where id = '{session}'"
        ))
        .await;
    first.running.doors.hub.leave().await.expect("the store hears it");
    until(&second, &meeting, &mut 0.0, |status, _| status == 503).await;
    let row = second.running.doors.store.live_session_of(&id(&meeting)).await.expect("a store").expect("it is live");
    assert_eq!(row.owner_node, "n1", "what cannot be read is not taken over");

    let now = second.running.doors.clock.now();
    second.running.doors.store.end_session(&row.summary.session, now).await.expect("it can be ended");
    until(&second, &meeting, &mut 0.0, |status, _| status == 404).await;
    second.enter(&meeting, "bob").await;
    assert_ne!(active(&second, &meeting).await.expect(200)["data"]["id"], session.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_a_store_that_hangs() {
    let Some(database) = Database::make().await else { return };
    let Some((app, line)) = database.node("n1").await else { return };
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    line.cut();
    let handle = app.running.doors.hub.find(&meeting).expect("a live session");
    let _ = tokio::time::timeout(Duration::from_millis(100), handle.call(move |session, now| session.leave(now, &ada))).await;
    drop(handle);
    within(app.stop()).await;
}

/// A file from the future made every run since say so, tokens included.
#[tokio::test]
async fn a_moment_in_a_file_does_not_decide_what_time_it_is() {
    let far = 5 * 365 * 24 * 3_600_000_i64;
    let system =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970").as_millis() as i64;
    let app = TestApp::with(|config| {
        std::fs::create_dir_all(&config.data).expect("a folder");
        std::fs::write(config.data.join("alive"), (system() + far).to_be_bytes()).expect("a file");
    })
    .await;
    let ahead = app.running.doors.clock.now().0 - system();
    assert!(ahead.abs() < 60_000, "the node's clock is {ahead} ms ahead");
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    app.leave(&meeting, &ada).await;
    let told = minutes(&active(&app, &meeting).await.expect(200)["data"]);
    assert!(told < 1.0, "{told} minutes in a moment");
}

fn id(meeting: &str) -> MeetingId {
    MeetingId::parse(meeting).expect("an id")
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes true in time")
}
