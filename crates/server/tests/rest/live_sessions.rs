//! The live sessions of an app: the list, and the stream of how they stand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{KIT, TestApp, Text};
use crate::watcher::{Event, Stream};

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

#[tokio::test]
async fn whoever_watches_the_list_knows_it_all_the_time() {
    let app = TestApp::dev().await;
    let watch = async || {
        let path = format!("{KIT}/active-sessions/stream");
        Stream::open(app.running.addr, &path, &[("authorization", "Bearer dev-token")]).await.expect("a stream")
    };
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
