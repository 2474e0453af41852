//! The live session: what `active-session` answers as people come and go, and what the API does to them.

use serde_json::{Value, json};

use crate::support::{TestApp, Text};

/// The live answer, or nothing.
async fn active(app: &TestApp, meeting: &str) -> Option<Value> {
    let said = app.get(&format!("/meetings/{meeting}/active-session")).await;
    (said.status == 200).then(|| said.json()["data"].clone())
}

fn counts(session: &Value) -> (u64, u64) {
    (session["live_participants"].as_u64().expect("a count"), session["max_concurrent_participants"].as_u64().expect("a count"))
}

#[tokio::test]
async fn it_tells_who_is_in_right_now() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let none = app.get(&format!("/meetings/{meeting}/active-session")).await.refused(404);
    assert_eq!(none, format!("No active session found for meeting_id {meeting}"));

    let (_, ada) = app.enter(&meeting, "ada").await;
    let first = active(&app, &meeting).await.expect("live");
    assert_eq!(counts(&first), (1, 1));
    assert_eq!((&first["associated_id"], &first["meeting_display_name"]), (&json!(meeting), &json!("Planning")));
    assert_eq!((&first["type"], &first["status"], &first["organization_id"]), (&json!("meeting"), &json!("LIVE"), &json!("dev")));
    assert!(first.get("ended_at").is_none());

    let (_, bob) = app.enter(&meeting, "bob").await;
    let both = active(&app, &meeting).await.expect("live");
    assert_eq!(counts(&both), (2, 2));
    app.leave(&meeting, &ada).await;
    app.leave(&meeting, &bob).await;
    let empty = active(&app, &meeting).await.expect("it waits for someone to come back");
    assert_eq!(counts(&empty), (0, 2));
    let minutes = |session: &Value| session["minutes_consumed"].as_f64().expect("a number");
    assert!(minutes(&first) <= minutes(&both) && minutes(&both) <= minutes(&empty));
    assert!(empty["updated_at"].text() >= both["updated_at"].text());
    let again = active(&app, &meeting).await.expect("live");
    assert_eq!(minutes(&empty), minutes(&again), "nobody is in, so nothing is consumed");

    app.enter(&meeting, "ada").await;
    let back = active(&app, &meeting).await.expect("live");
    assert_eq!((&back["id"], counts(&back)), (&first["id"], (1, 2)), "the same session goes on");
}

#[tokio::test]
async fn an_untitled_meeting_has_an_empty_name() {
    let app = TestApp::dev().await;
    let meeting = app.post("/meetings", json!({})).await.expect(201)["data"]["id"].text();
    app.enter(&meeting, "ada").await;
    assert_eq!(active(&app, &meeting).await.expect("live")["meeting_display_name"], "");
}

#[tokio::test]
async fn list_details_and_people_agree_with_it() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (_, ada) = app.enter(&meeting, "ada").await;
    app.enter(&meeting, "bob").await;
    let session = active(&app, &meeting).await.expect("live")["id"].text();
    app.call("POST", &format!("/meetings/{meeting}/active-session/kick-all")).send().await.expect(200);
    let details = app.get(&format!("/sessions/{session}")).await.expect(200)["data"].clone();
    let listed = app.get("/sessions").await.expect(200)["data"]["sessions"][0].clone();
    assert_eq!(details, listed);
    let people = app.get(&format!("/sessions/{session}/participants")).await.expect(200)["data"]["participants"].clone();
    let people = people.as_array().expect("a list").clone();
    let sum: f64 = people.iter().map(|peer| peer["duration"].as_f64().expect("minutes")).sum();
    assert!((sum - details["minutes_consumed"].as_f64().expect("minutes")).abs() < 1e-9);
    assert_eq!(people[1]["id"], ada.as_str(), "last come first");
}

#[tokio::test]
async fn kick_removes_who_is_named_and_nobody_else() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let kick = format!("/meetings/{meeting}/active-session/kick");
    let nobody = app.post(&kick, json!({"participant_ids": ["x"]})).await.refused(404);
    assert_eq!(nobody, format!("No active session found for meeting_id {meeting}"));
    let (ada, _) = app.enter(&meeting, "ada").await;
    app.join(&ada).await;
    app.enter(&meeting, "bob").await;
    app.enter(&meeting, "eve").await;
    assert_eq!(counts(&active(&app, &meeting).await.expect("live")), (4, 4), "each tab is a peer");

    for body in [json!({}), json!({"participant_ids": []}), json!({"participant_ids": [], "custom_participant_ids": []})] {
        assert!(app.post(&kick, body).await.refused(400).starts_with("BAD_REQUEST: "));
    }
    app.post(&kick, json!({"participant_ids": "x"})).await.refused(400);
    app.post(&kick, json!({"participant_ids": vec!["x"; 1001]})).await.refused(400);
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        app.post(&kick, json!({"participant_ids": [unknown]})).await.refused(404),
        format!("No user found with id {unknown}")
    );
    app.post(&kick, json!({"custom_participant_ids": ["ADA"]})).await.refused(404);

    let said = app.post(&kick, json!({"participant_ids": [ada, unknown], "custom_participant_ids": ["bob"]})).await.expect(200);
    assert_eq!(said["data"]["action"], "kick");
    let names: Vec<_> = said["data"]["participants"].as_array().expect("a list").iter().map(|row| row["name"].text()).collect();
    assert_eq!(names, ["ada", "bob"], "a union, each participant once, unknown ones left out");
    assert_eq!(counts(&active(&app, &meeting).await.expect("live")), (1, 4), "true at once");
    app.post(&kick, json!({"participant_ids": [ada]})).await.refused(404);
    app.join(&ada).await;
    assert_eq!(counts(&active(&app, &meeting).await.expect("live")), (2, 4), "their token still works");
}

#[tokio::test]
async fn kick_all_ends_the_session_at_once() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let kick_all = format!("/meetings/{meeting}/active-session/kick-all");
    app.call("POST", &kick_all).send().await.refused(404);
    app.enter(&meeting, "ada").await;
    app.enter(&meeting, "bob").await;
    let before = active(&app, &meeting).await.expect("live")["id"].text();
    let said = app.call("POST", &kick_all).send().await.expect(200);
    assert_eq!(said["data"]["kicked_participants_count"], 2);
    assert_eq!(active(&app, &meeting).await, None, "there is no keep-alive");
    app.call("POST", &kick_all).send().await.refused(404);

    let (_, eve) = app.enter(&meeting, "eve").await;
    assert_ne!(active(&app, &meeting).await.expect("live")["id"].text(), before, "who comes later starts a new one");
    app.leave(&meeting, &eve).await;
    let said = app.call("POST", &kick_all).send().await.expect(200);
    assert_eq!(said["data"]["kicked_participants_count"], 0, "an empty session can be ended too");
}

#[tokio::test]
async fn a_deleted_participant_is_out_and_stays_out() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "bob").await;
    let ada = app.participant(&meeting, "group_call_host", "ada").await;
    let (id, token) = (ada["id"].text(), ada["token"].text());
    app.join(&id).await;
    assert_eq!(counts(&active(&app, &meeting).await.expect("live")), (2, 2));
    app.call("DELETE", &format!("/meetings/{meeting}/participants/{id}")).send().await.expect(200);
    assert_eq!(counts(&active(&app, &meeting).await.expect("live")), (1, 2));
    let details = app.bare("GET", "/v2/internals/participant-details").header("authorization", &format!("Bearer {token}"));
    assert_eq!(details.send().await.expect(401), json!({"message": "Unauthorized"}));
}

#[tokio::test]
async fn mute_needs_a_session_and_says_whom_it_reached() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (mute, mute_all) =
        (format!("/meetings/{meeting}/active-session/mute"), format!("/meetings/{meeting}/active-session/mute-all"));
    app.post(&mute_all, json!({"allow_unmute": true})).await.refused(404);
    let (ada, _) = app.enter(&meeting, "ada").await;
    assert_eq!(app.post(&mute_all, json!({})).await.refused(400), "BAD_REQUEST: \"allow_unmute\" is required");
    assert_eq!(
        app.post(&mute_all, json!({"allow_unmute": "no"})).await.refused(400),
        "BAD_REQUEST: \"allow_unmute\" must be a boolean"
    );
    assert_eq!(app.post(&mute_all, json!({"allow_unmute": false})).await.expect(200)["data"]["muted_participants_count"], 1);
    let said = app.post(&mute, json!({"participant_ids": [ada]})).await.expect(200);
    assert_eq!((&said["data"]["action"], &said["data"]["participants"][0]["id"]), (&json!("mute"), &json!(ada)));
    app.post(&mute, json!({"participant_ids": ["nobody"]})).await.refused(404);
}

#[tokio::test]
async fn the_api_asks_everyone() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let poll = format!("/meetings/{meeting}/active-session/poll");
    let question = json!({"question": "Tea?", "options": ["yes", "no"]});
    app.post(&poll, question.clone()).await.refused(404);
    app.enter(&meeting, "ada").await;
    assert_eq!(app.post(&poll, json!({"options": []})).await.refused(400), "BAD_REQUEST: \"question\" is required");
    app.post(&poll, json!({"question": "Tea?", "options": ["yes"]})).await.refused(400);
    app.post(&poll, json!({"question": "Tea?", "options": ["yes", ""]})).await.refused(400);
    let said = app.post(&poll, question).await.expect(201);
    let made = &said["data"]["poll"];
    assert_eq!((&made["question"], &made["created_by"], &made["voted"]), (&json!("Tea?"), &json!("dev"), &json!([])));
    assert_eq!(made["options"][1], json!({"text": "no", "count": 0, "votes": []}));
    assert_eq!((&made["anonymous"], &made["hide_votes"]), (&json!(false), &json!(false)));
    let secret = json!({"question": "Tea?", "options": ["yes", "no"], "anonymous": true});
    assert_eq!(app.post(&poll, secret).await.expect(201)["data"]["poll"]["hide_votes"], true);
}

#[tokio::test]
async fn a_session_that_was_let_go_of_is_gone_on_with_and_counts_nobody_who_is_gone() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let before = active(&app, &meeting).await.expect("live");
    app.running.doors.hub.let_go();
    let after = loop {
        let said = app.get(&format!("/meetings/{meeting}/active-session")).await;
        if said.status == 200 && said.json()["data"]["live_participants"] != 1 {
            break said.json()["data"].clone();
        }
        assert!(said.status == 200 || said.status == 503, "nothing else is told meanwhile: {}", said.status);
    };
    assert_eq!((&before["id"], 0, 1), (&after["id"], counts(&after).0, counts(&after).1), "it goes on without whoever is gone");
    let minutes = |session: &Value| session["minutes_consumed"].as_f64().expect("a number");
    assert!(minutes(&after) >= minutes(&before), "{} after {}", minutes(&after), minutes(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_told_never_shrink() {
    // A commit that waits for the disk takes milliseconds, in which the live answer is as of before it.
    let app = TestApp::with(|config| config.database.durable = true).await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let asking = async {
        let mut told = 0.0;
        for _ in 0..2_000 {
            let now = active(&app, &meeting).await.expect("live")["minutes_consumed"].as_f64().expect("a number");
            assert!(now >= told, "{now} after {told}: {} ms less", (told - now) * 60_000.0);
            told = now;
        }
    };
    // Many come and go at once, so that what a leave takes back would show.
    let coming_and_going = async {
        loop {
            let mut peers = Vec::new();
            for _ in 0..20 {
                // Somebody else each time: one alone may not come so often.
                peers.push(app.enter(&meeting, "many").await.1);
            }
            let handle = app.running.doors.hub.find(&meeting).expect("a live session");
            let leave = move |session: &mut salon_core::Session, now| peers.iter().for_each(|peer| session.leave(now, peer));
            handle.call(leave).await.expect("a live task");
        }
    };
    tokio::select! {
        () = asking => {}
        () = coming_and_going => {}
    }
}
