//! The live sessions of an app: the list, and the stream of how they stand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{KIT, TestApp, Text};
use crate::watcher::{Event, Folded, Stream};

async fn list(app: &TestApp, query: &str) -> Value {
    app.get(&format!("/active-sessions{query}")).await.expect(200)["data"].clone()
}

fn titles(list: &Value) -> Vec<String> {
    list["sessions"].as_array().expect("a list").iter().map(|session| session["title"].text()).collect()
}

#[tokio::test]
async fn all_that_are_live_are_listed_as_they_stand() {
    let app = TestApp::dev().await;
    assert_eq!(list(&app, "").await, json!({"sessions": [], "total_count": 0}));
    let mut meetings = Vec::new();
    for title in ["one", "two", "three"] {
        let meeting = app.meeting(title).await;
        app.enter(&meeting, "ada").await;
        meetings.push(meeting);
    }
    app.enter(&meetings[1], "bob").await;
    let all = list(&app, "").await;
    assert_eq!(titles(&all), ["three", "two", "one"], "newest first");
    for (at, meeting) in meetings.iter().rev().enumerate() {
        let (line, live) = (&all["sessions"][at], app.get(&format!("/meetings/{meeting}/active-session")).await);
        let session = live.json()["data"].clone();
        assert_eq!((&line["session_id"], &line["meeting_id"]), (&session["id"], &session["associated_id"]));
        assert_eq!(live.header("etag"), Some(format!("W/\"{}-{}\"", line["session_id"].text(), line["seq"]).as_str()));
        for same in ["live_participants", "max_concurrent_participants", "started_at", "updated_at"] {
            assert_eq!(line[same], session[same], "{same}");
        }
        assert_eq!(line["node"], app.running.doors.hub.name());
    }
    let first = list(&app, "?limit=2").await;
    assert_eq!((titles(&first), &first["total_count"]), (vec!["three".to_owned(), "two".to_owned()], &json!(3)));
    assert_eq!(titles(&list(&app, "?sort_by=people&limit=1").await), ["two"]);
    assert_eq!(titles(&list(&app, "?sort_by=worst").await), ["three", "two", "one"], "nothing is known of any");
    assert_eq!(list(&app, "?worst=broken").await, json!({"sessions": [], "total_count": 0}));
    assert_eq!(list(&app, "?min_people=2").await["total_count"], 1);
    let rest = list(&app, &format!("?limit=2&after={}", first["next_after"].text())).await;
    assert_eq!((titles(&rest), rest.get("next_after")), (vec!["one".to_owned()], None));
    let by_meeting = format!("?meeting_id={}", meetings[0]);
    for (query, found) in [
        (by_meeting.as_str(), vec!["one"]),
        ("?min_people=2", vec!["two"]),
        ("?search=THREE", vec!["three"]),
        ("?node=x", vec![]),
    ] {
        assert_eq!(titles(&list(&app, query).await), found, "{query}");
    }
    for bad in [
        "?after=x",
        "?after=1-",
        "?min_people=x",
        "?limit=x",
        "?meeting_id=x",
        "?worst=bad",
        "?worst=",
        "?min_people=",
        "?node=",
        "?after=",
        "?sort_by=x",
        "?sort_by=worst&after=1-a",
    ] {
        app.get(&format!("/active-sessions{bad}")).await.refused(400);
    }
    app.call("POST", &format!("/meetings/{}/active-session/kick-all", meetings[1])).send().await.expect(200);
    assert_eq!(titles(&list(&app, "").await), ["three", "one"]);
    let theirs = app.other_account("theirs", "their-key", None).await;
    let path = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/active-sessions");
    let said = app.bare("GET", &path).header("authorization", "Bearer their-key").send().await;
    assert_eq!(said.expect(200)["data"], json!({"sessions": [], "total_count": 0}));
}

/// What the states add up to.
#[derive(Default)]
struct Board {
    sessions: BTreeMap<String, Value>,
    named: Option<Vec<String>>,
}

impl Board {
    fn take(&mut self, event: &Event) {
        assert_eq!(event.id, None, "it is begun anew each time");
        match event.name.as_str() {
            "begin" => self.named = Some(Vec::new()),
            "sessions" => {
                for session in event.data["sessions"].as_array().expect("a list") {
                    let id = session["session_id"].text();
                    self.named.iter_mut().for_each(|named| named.push(id.clone()));
                    let known = self.sessions.get(&id).map_or(0, |known| known["seq"].as_u64().expect("a number"));
                    if session["seq"].as_u64().expect("a number") >= known {
                        self.sessions.insert(id, session.clone());
                    }
                }
            }
            "end" => {
                let named = self.named.take().expect("it has begun");
                self.sessions.retain(|id, _| named.contains(id));
            }
            "gone" => {
                for gone in event.data["gone"].as_array().expect("a list") {
                    self.sessions.remove(&gone["session_id"].text());
                }
            }
            other => panic!("{other} is not in the documentation"),
        }
    }

    fn is(&self, list: &Value) -> bool {
        let listed = list["sessions"].as_array().expect("a list");
        self.named.is_none()
            && listed.len() == self.sessions.len()
            && listed.iter().all(|session| self.sessions.get(&session["session_id"].text()) == Some(session))
    }
}

async fn watch(app: &TestApp, query: &str) -> Result<Stream, u16> {
    let path = format!("{KIT}/active-sessions/stream{query}");
    Stream::open(app.running.addr, &path, &[("authorization", "Bearer dev-token")]).await
}

#[tokio::test]
async fn those_who_wait_are_counted() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let mut stream = watch(&app, "").await.expect("a stream");
    assert_eq!(stream.hear("sessions").await.data["sessions"][0]["waiting"], 0);
    let zoe = app.participant(&meeting, "group_call_guest", "zoe").await["id"].text();
    let zoe = app.join(&zoe).await;
    let line = list(&app, "").await["sessions"][0].clone();
    assert_eq!((&line["waiting"], &line["live_participants"]), (&json!(1), &json!(1)));
    stream.hear("end").await;
    // The record has not grown: she is not in it.
    let told = stream.hear("sessions").await.data["sessions"][0].clone();
    assert_eq!(told, line);
    app.leave(&meeting, &zoe).await;
    assert_eq!(list(&app, "").await["sessions"][0]["waiting"], 0);
}

#[tokio::test]
async fn one_connection_tells_of_the_list_and_of_the_people_of_one_session() {
    let app = TestApp::dev().await;
    let (meeting, other) = (app.meeting("Planning").await, app.meeting("Other").await);
    app.enter(&meeting, "ada").await;
    app.enter(&other, "bob").await;
    let session = |meeting: &str| {
        let path = format!("/meetings/{meeting}/active-session");
        async { app.get(&{ path }).await.expect(200)["data"]["id"].text() }
    };
    let (id, other_id) = (session(&meeting).await, session(&other).await);
    let (mut board, mut folded) = (Board::default(), Folded::default());
    let take = |board: &mut Board, folded: &mut Folded, event: &Event| match event.name.as_str() {
        "begin" | "sessions" | "end" | "gone" => board.take(event),
        _ => folded.take(event),
    };
    let mut stream = watch(&app, &format!("?also={id}")).await.expect("a stream");
    app.enter(&meeting, "eve").await;
    app.enter(&other, "zoe").await;
    let all = list(&app, "").await;
    while !board.is(&all) || folded.now["live_participants"] != 2 {
        take(&mut board, &mut folded, &stream.next().await.expect("it goes on"));
    }
    assert_eq!((&folded.now["session_id"], folded.resets), (&json!(id), 1));
    drop(stream);
    // What happens meanwhile is told to whoever comes back, of that session alone.
    let (_, cy) = app.enter(&meeting, "cy").await;
    app.leave(&meeting, &cy).await;
    let last = folded.last_id.clone().expect("an id");
    stream = watch(&app, &format!("?also={id}&after={last}")).await.expect("a stream");
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    while folded.told.last().is_none_or(|event| event.name != "ended") {
        take(&mut board, &mut folded, &stream.next().await.expect("it goes on"));
    }
    assert_eq!(folded.resets, 1, "it was told what changed");
    // The list goes on.
    app.enter(&meeting, "ada").await;
    app.call("POST", &format!("/meetings/{other}/active-session/kick-all")).send().await.expect(200);
    let all = list(&app, "").await;
    while !board.is(&all) {
        let event = stream.next().await.expect("it goes on");
        assert!(["begin", "sessions", "end", "gone"].contains(&event.name.as_str()), "{event:?}");
        board.take(&event);
    }
    assert_eq!(titles(&all), ["Planning"]);
    // Of one that is over only what somebody missed.
    let path = format!("/active-sessions/stream?also={id}");
    assert_eq!(app.get(&path).await.refused(404), format!("The session {id} is over"));
    let mut rest = watch(&app, &format!("?also={id}&after={last}")).await.expect("a stream");
    let mut late = Vec::new();
    while late.last().is_none_or(|name| name != "end") {
        late.push(rest.next().await.expect("it goes on").name);
    }
    assert_eq!(late.iter().filter(|name| *name == "change").count(), folded.told.len() - 1 - told_until(&folded, &last));
    assert!(late.contains(&"ended".to_owned()));
    for (query, status) in [
        ("also=x".to_owned(), 400),
        (format!("also={id}&after=x"), 400),
        (format!("also={other_id}&after={last}"), 404),
        ("also=2ba45d52-33e1-4e84-a5b5-0d4e2e1a0d4f".to_owned(), 404),
    ] {
        app.get(&format!("/active-sessions/stream?{query}")).await.refused(status);
    }
    let theirs = app.other_account("theirs", "their-key", None).await;
    let path = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/active-sessions/stream?also={id}");
    app.bare("GET", &path).header("authorization", "Bearer their-key").send().await.refused(404);
}

/// How many events were told up to the one with this id.
fn told_until(folded: &Folded, id: &str) -> usize {
    folded.told.iter().position(|event| event.id.as_deref() == Some(id)).expect("it was told") + 1
}

#[tokio::test]
async fn whoever_watches_the_list_knows_it_all_the_time() {
    let app = TestApp::dev().await;
    let watch = async || watch(&app, "").await.expect("a stream");
    let (mut early, mut board) = (watch().await, Board::default());
    let mut people = Vec::new();
    for at in 0..6 {
        let meeting = app.meeting(&format!("meeting {at}")).await;
        let (_, peer) = app.enter(&meeting, "ada").await;
        people.push((meeting, peer));
    }
    let all = list(&app, "").await;
    while !board.is(&all) {
        board.take(&early.next().await.expect("it goes on"));
    }
    app.leave(&people[0].0, &people[0].1).await;
    app.enter(&people[1].0, "bob").await;
    app.call("POST", &format!("/meetings/{}/active-session/kick-all", people[2].0)).send().await.expect(200);
    let all = list(&app, "").await;
    while !board.is(&all) {
        board.take(&early.next().await.expect("it goes on"));
    }
    assert_eq!(board.sessions.len(), 5);
    // Whoever was away knows nothing of those that are over, and hears which there are.
    let (mut late, mut stale) = (watch().await, Board::default());
    stale.sessions.insert("over".to_owned(), json!({"session_id": "over", "seq": 9}));
    while !stale.is(&all) {
        stale.take(&late.next().await.expect("it goes on"));
    }
}
