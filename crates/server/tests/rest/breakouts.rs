//! Connected meetings as REST tells of them: beside the session they belong to, and by themselves.

use salon_core::MeetingId;
use salon_store::Meeting;
use serde_json::{Value, json};

use crate::support::contract::agrees;
use crate::support::{TestApp, Text};

/// A meeting connected with another.
async fn room(app: &TestApp, parent: &str, title: &str) -> String {
    let store = &app.running.doors.store;
    let parent = store.meeting_of(&MeetingId::parse(parent).unwrap()).await.unwrap().unwrap();
    let id = MeetingId::parse(&uuid::Uuid::now_v7().to_string()).unwrap();
    let room = Meeting { id: id.clone(), parent: Some(parent.id.clone()), title: Some(title.to_owned()), ..parent.clone() };
    assert!(store.create_connected_meetings(&parent.id, &[room], 10).await.unwrap());
    id.to_string()
}

fn told(session: &Value) -> Vec<(String, String, f64)> {
    let rooms = session["breakout_rooms"].as_array().cloned().unwrap_or_default();
    let told =
        |room: &Value| (room["meeting_display_name"].text(), room["status"].text(), room["live_participants"].as_f64().unwrap());
    rooms.iter().map(told).collect()
}

#[tokio::test]
async fn a_session_tells_of_those_beside_it() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let active = format!("/meetings/{meeting}/active-session");
    let alone = agrees("GET", "/meetings/{meeting_id}/active-session", &app.get(&active).await);
    assert!(alone["data"].get("breakout_rooms").is_none());

    let (first, second) = (room(&app, &meeting, "First").await, room(&app, &meeting, "Second").await);
    let (_, bob) = app.enter(&first, "bob").await;
    app.enter(&second, "cleo").await;
    app.enter(&second, "dan").await;
    let live = agrees("GET", "/meetings/{meeting_id}/active-session", &app.get(&active).await);
    let one = |title: &str, status: &str, count: f64| (title.to_owned(), status.to_owned(), count);
    assert_eq!(told(&live["data"]), [one("First", "LIVE", 1.0), one("Second", "LIVE", 2.0)]);
    assert_eq!(live["data"]["live_participants"], 1, "who is in a room is not in the main meeting");

    app.leave(&first, &bob).await;
    let kept = agrees("GET", "/meetings/{meeting_id}/active-session", &app.get(&active).await);
    assert_eq!(told(&kept["data"])[0], one("First", "LIVE", 0.0));
    // A room's own session knows of none.
    let own =
        agrees("GET", "/meetings/{meeting_id}/active-session", &app.get(&format!("/meetings/{second}/active-session")).await);
    assert_eq!(told(&own["data"]), []);

    let ended = app.post(&format!("{active}/kick-all"), json!({})).await.expect(200);
    assert_eq!(ended["data"]["kicked_participants_count"], 3, "with those in the rooms");
    let id = live["data"]["id"].text();
    let shown = agrees("GET", "/sessions/{session_id}", &app.get(&format!("/sessions/{id}?include_breakout_rooms=true")).await);
    assert_eq!(told(&shown["data"]), [one("First", "ENDED", 0.0), one("Second", "ENDED", 0.0)]);
    let plain = agrees("GET", "/sessions/{session_id}", &app.get(&format!("/sessions/{id}")).await);
    assert!(plain["data"].get("breakout_rooms").is_none());
    app.get(&format!("/sessions/{id}?include_breakout_rooms=maybe")).await.refused(400);
    let all = agrees("GET", "/sessions", &app.get("/sessions").await);
    assert_eq!(all["paging"]["total_count"], 3, "each session is listed, whatever it is a session of");
    let listed = agrees("GET", "/meetings", &app.get("/meetings").await);
    assert_eq!(listed["paging"]["total_count"], 1);
    agrees("GET", "/meetings/{meeting_id}", &app.get(&format!("/meetings/{first}")).await);
}
