//! What is read of the past: days, people over all sessions, and sessions event by event.

use serde_json::{Value, json};

use crate::support::contract::agrees;
use crate::support::{TestApp, Text};

/// Two sessions that are over, of which Ann was in both, and one that is live.
async fn three_sessions(app: &TestApp) -> Vec<String> {
    let mut sessions = Vec::new();
    for (title, people, ends) in [("One", vec!["ann"], true), ("Two", vec!["ann", "ben"], true), ("Three", vec!["cy"], false)] {
        let meeting = app.meeting(title).await;
        for person in people {
            app.enter(&meeting, person).await;
        }
        sessions.push(app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text());
        if ends {
            app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
        }
    }
    sessions
}

#[tokio::test]
async fn days_add_up_to_what_the_list_adds_up_to() {
    let app = TestApp::dev().await;
    three_sessions(&app).await;
    let said = app.get("/analytics/daywise").await;
    let told = agrees("GET", "/analytics/daywise", &said)["data"].clone();
    let list = app.get("/sessions").await.expect(200);
    let later = app.get("/analytics/daywise").await.expect(200)["data"].clone();
    // Whole milliseconds, whose sum does not depend on the order in which fractions of minutes are added.
    let ms = |minutes: &Value| (minutes.as_f64().expect("a number") * 60_000.0).round() as i64;
    let days = |told: &Value| ms(&told["session_stats"]["sessions_minutes_consumed"]);
    let listed: i64 = list["data"]["sessions"].as_array().expect("a list").iter().map(|s| ms(&s["minutes_consumed"])).sum();
    // One is live, so it is between what was told before and after.
    assert!(days(&told) <= listed && listed <= days(&later), "{} {listed} {}", days(&told), days(&later));
    let stats = &told["session_stats"];
    assert_eq!((&stats["sessions_count"], &list["paging"]["total_count"]), (&json!(3), &json!(3)));
    let days = stats["day_stats"].as_array().expect("a list");
    assert_eq!(
        (days.len(), &days[0]["total_sessions"], &days[0]["total_session_minutes"]),
        (1, &json!(3), &stats["sessions_minutes_consumed"])
    );
    assert!(days[0]["day"].text().ends_with("T00:00:00.000Z"));
    assert_eq!(told["recording_stats"], json!({ "recording_count": 0, "recording_minutes_consumed": 0, "day_stats": [] }));

    let none = app.get("/analytics/daywise?start_date=2020-01-01&end_date=2020-02-01").await.expect(200)["data"].clone();
    assert_eq!(none["session_stats"], json!({ "sessions_count": 0, "sessions_minutes_consumed": 0, "day_stats": [] }));
    for wrong in ["start_date=2020-02-01&end_date=2020-01-01", "start_date=1900-01-01", "end_date=soon"] {
        app.get(&format!("/analytics/daywise?{wrong}")).await.refused(400);
    }
}

#[tokio::test]
async fn hours_of_any_place_add_up_to_what_days_add_up_to() {
    let app = TestApp::dev().await;
    three_sessions(&app).await;
    let hours = async |query: &str| app.get(&format!("/analytics/hours{query}")).await.expect(200)["data"].clone();
    let minutes = |told: &Value| told.as_f64().expect("a number");
    let daywise =
        async || minutes(&app.get("/analytics/daywise").await.expect(200)["data"]["session_stats"]["sessions_minutes_consumed"]);
    for (query, spans, group, tz) in [
        ("", 24, "hour", "UTC"),
        ("?group=day&tz=Asia/Kathmandu", 30, "day", "Asia/Kathmandu"),
        ("?group=week&tz=america/new_york", 12, "week", "America/New_York"),
    ] {
        let before = daywise().await;
        let told = hours(query).await;
        let after = daywise().await;
        assert_eq!((&told["group"], &told["tz"], &told["total_sessions"]), (&json!(group), &json!(tz), &json!(3)));
        let list = told["spans"].as_array().expect("a list");
        assert_eq!(list.iter().map(|span| span["sessions"].as_u64().expect("a number")).sum::<u64>(), 3, "{query}");
        // The one before is told of as well where an hour, or a day, has just begun.
        assert!((spans..=spans + 1).contains(&list.len()), "{query}: {}", list.len());
        assert_eq!((&told["from"], list.iter().all(|span| span["local"].is_string())), (&list[0]["from"], true));
        let all = minutes(&told["total_session_minutes"]);
        assert!(before - 1e-9 <= all && all <= after + 1e-9, "{query}: {before} {all} {after}");
    }
    let none = hours("?from=2020-01-01&to=2020-01-01&tz=Europe/Berlin").await;
    let one = json!({"from": "2020-01-01T00:00:00.000Z", "local": "2020-01-01T01:00:00+01:00", "sessions": 0, "minutes": 0});
    assert_eq!((&none["spans"], &none["to"]), (&json!([one]), &json!("2020-01-01T01:00:00.000Z")));
    for wrong in
        ["tz=Mars", "tz=", "group=year", "from=soon", "from=2020-02-01&to=2020-01-01", "from=1990-01-01", "group=day&from=1-1-1"]
    {
        app.get(&format!("/analytics/hours?{wrong}")).await.refused(400);
    }
}

#[tokio::test]
async fn a_person_is_found_by_their_own_id_in_every_session() {
    let app = TestApp::dev().await;
    let sessions = three_sessions(&app).await;
    let told = app.get("/peers?custom_participant_id=ann").await.expect(200);
    let stays = told["data"]["peers"].as_array().expect("a list");
    let found: Vec<_> = stays.iter().map(|stay| (stay["session_id"].text(), stay["meeting_display_name"].text())).collect();
    assert_eq!(found, [(sessions[1].clone(), "Two".to_owned()), (sessions[0].clone(), "One".to_owned())]);
    assert_eq!((&stays[0]["session_status"], &stays[0]["counts"]), (&json!("ENDED"), &json!(true)));
    assert_eq!((&stays[0]["left_because"], &told["paging"]["total_count"]), (&json!("ended"), &json!(2)));
    let one = app.get(&format!("/peers?participant_id={}", stays[0]["user_id"].text())).await.expect(200);
    assert_eq!(one["data"]["peers"].as_array().map(Vec::len), Some(1), "that participant is of one meeting");
    let here = app.get("/peers?custom_participant_id=cy").await.expect(200)["data"]["peers"][0].clone();
    assert_eq!((&here["session_status"], here.get("left_at"), here.get("left_because")), (&json!("LIVE"), None, None));
    assert_eq!(app.get("/peers?custom_participant_id=eve").await.expect(200)["data"]["peers"], json!([]));
    for wrong in ["", "custom_participant_id=", "custom_participant_id=a&participant_id=2ba45d52-33e1-4e84-a5b5-0d4e2e1a0d4f"] {
        app.get(&format!("/peers?{wrong}")).await.refused(400);
    }
}

#[tokio::test]
async fn people_of_a_session_read_the_same_from_the_index_and_from_the_record() {
    let app = TestApp::dev().await;
    for session in three_sessions(&app).await {
        let mut told = app.get(&format!("/sessions/{session}/participants")).await.expect(200)["data"]["participants"].clone();
        let with = "include_peer_events=true";
        let mut folded =
            app.get(&format!("/sessions/{session}/participants?{with}")).await.expect(200)["data"]["participants"].clone();
        for one in told.as_array_mut().expect("a list").iter_mut().chain(folded.as_array_mut().expect("a list")) {
            let one = one.as_object_mut().expect("a person");
            one.remove("peer_events");
            if one.get("left_at").is_none() {
                one.remove("duration");
            }
        }
        assert_eq!(told, folded);
        let peer = told[0]["id"].text();
        let by_peer =
            app.get(&format!("/sessions/{session}/participants/{peer}")).await.expect(200)["data"]["participant"].clone();
        let report = app.get(&format!("/sessions/peer-report/{peer}")).await.expect(200)["data"]["participant"].clone();
        assert_eq!((&by_peer["id"], &report["session_id"]), (&json!(peer), &json!(session)));
        assert_eq!(by_peer["left_at"], report["left_at"]);
    }
}
