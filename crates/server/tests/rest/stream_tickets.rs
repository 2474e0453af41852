//! Tickets for streams: what a browser opens that has no credential.

use serde_json::{Value, json};

use crate::support::{KIT, Said, TestApp, Text};
use crate::watcher::Stream;

async fn take(app: &TestApp, body: Value) -> Said {
    app.post("/stream-tickets", body).await
}

/// Where the ticket leads.
async fn path(app: &TestApp, body: Value) -> String {
    let url = take(app, body).await.expect(201)["data"]["url"].text();
    url.strip_prefix(&format!("http://{}", app.running.addr)).expect("it is here").to_owned()
}

async fn open(app: &TestApp, path: &str) -> Result<Stream, u16> {
    Stream::open(app.running.addr, path, &[("origin", "https://app.example.org")]).await
}

#[tokio::test]
async fn a_ticket_opens_its_stream_once_from_any_page() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let waits = path(&app, json!({"meeting_id": meeting, "wait": true})).await;
    let mut stream = open(&app, &waits).await.expect("a stream");
    assert_eq!(stream.header("access-control-allow-origin"), Some("*"));
    stream.hear("none").await;
    assert_eq!(open(&app, &waits).await.err(), Some(404), "it is used");
    app.enter(&meeting, "ada").await;
    let id = stream.hear("snapshot").await.id.expect("an id");
    // Whoever comes back has a new one.
    let again = path(&app, json!({"meeting_id": meeting})).await;
    app.enter(&meeting, "bob").await;
    let mut stream = open(&app, &format!("{again}?after={id}")).await.expect("a stream");
    let change = stream.hear("change").await;
    assert_eq!((&change.data["kind"], &change.data["person"]["custom_participant_id"]), (&json!("peer_joined"), &json!("bob")));
    let session = change.data["session_id"].text();
    let both = path(&app, json!({"also": session})).await;
    let mut stream = open(&app, &both).await.expect("a stream");
    assert_eq!(stream.hear("snapshot").await.data["session_id"], session);
    assert_eq!(stream.hear("sessions").await.data["sessions"][0]["session_id"], session);
    let board = path(&app, json!({})).await;
    open(&app, &board).await.expect("a stream").hear("end").await;
}

#[tokio::test]
async fn who_only_looks_or_finds_no_place_spends_nothing() {
    let app = TestApp::with(|config| config.limits.watchers_per_key = 1).await;
    let ticket = path(&app, json!({})).await;
    assert_eq!(app.bare("HEAD", &ticket).send().await.status, 405);
    let other = path(&app, json!({})).await;
    let first = open(&app, &other).await.expect("a stream");
    assert_eq!(open(&app, &ticket).await.err(), Some(429));
    drop(first);
    loop {
        match open(&app, &ticket).await {
            Ok(mut stream) => {
                stream.hear("end").await;
                break;
            }
            Err(status) => assert_eq!(status, 429),
        }
    }
}

#[tokio::test]
async fn of_many_who_show_the_same_ticket_one_gets_in() {
    let app = TestApp::dev().await;
    let ticket = path(&app, json!({})).await;
    let tries = (0..12).map(|_| open(&app, &ticket));
    let opened = futures_util::future::join_all(tries).await;
    assert_eq!(opened.iter().filter(|stream| stream.is_ok()).count(), 1);
    assert!(opened.iter().all(|stream| stream.as_ref().err().is_none_or(|status| *status == 404)));
}

#[tokio::test]
async fn a_ticket_is_good_for_half_a_minute_and_as_long_as_its_key() {
    let app = TestApp::dev().await;
    let ticket = path(&app, json!({})).await;
    let hash = salon_doors::keys::digest(ticket.rsplit('/').next().expect("a ticket"));
    let store = &app.running.doors.store;
    let kept = store.stream_ticket(&hash, app.running.doors.clock.now()).await.expect("the store answers").expect("it is there");
    let left_ms = kept.expires_at.since(app.running.doors.clock.now());
    assert!((0..=30_000).contains(&left_ms), "{left_ms} ms");
    assert!(store.stream_ticket(&hash, kept.expires_at).await.expect("the store answers").is_none());
    // Old ones go when others are made.
    store
        .add_stream_ticket(&salon_store::StreamTicket { hash: [1; 32], ..kept.clone() }, kept.expires_at)
        .await
        .expect("it is kept");
    assert_eq!(open(&app, &ticket).await.err(), Some(404));

    let theirs = app.other_account("theirs", "their-key", None).await;
    let tickets = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/stream-tickets");
    let made = app.bare("POST", &tickets).header("authorization", "Bearer their-key").json(&json!({})).send().await;
    let url = made.expect(201)["data"]["url"].text();
    store.revoke_api_key(&salon_doors::keys::digest("their-key")).await.expect("it is gone");
    let path = url.strip_prefix(&format!("http://{}", app.running.addr)).expect("it is here");
    // A node that knew the key believes it for seconds; then the stream says so itself.
    match open(&app, path).await {
        Err(status) => assert_eq!(status, 404),
        Ok(mut stream) => assert_eq!(stream.hear("bye").await.data["reason"], "key_revoked"),
    }
}

#[tokio::test]
async fn who_may_read_may_take_one_and_nobody_for_what_is_not_theirs() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    app.enter(&meeting, "ada").await;
    let session = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text();
    let keys = "/client/v4/accounts/dev/api-keys";
    let made = app.bare("POST", keys).header("authorization", "Bearer dev-token").json(&json!({"scope": "read"})).send().await;
    let reader = format!("Bearer {}", made.expect(201)["data"]["secret"].text());
    let asks = async |path: &str| app.bare("POST", path).header("authorization", &reader).json(&json!({})).send().await.status;
    assert_eq!((asks(&format!("{KIT}/stream-tickets")).await, asks(&format!("{KIT}/meetings")).await), (201, 403));
    let nobody = "2ba45d52-33e1-4e84-a5b5-0d4e2e1a0d4f";
    for (body, status) in [
        (json!({"meeting_id": nobody}), 404),
        (json!({"also": nobody}), 404),
        (json!({"meeting_id": "x"}), 400),
        (json!({"also": 7}), 400),
        (json!({"meeting_id": meeting, "also": session}), 400),
        (json!({"wait": true}), 400),
        (json!([]), 400),
    ] {
        take(&app, body).await.refused(status);
    }
    let theirs = app.other_account("theirs", "their-key", None).await;
    let tickets = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}/stream-tickets");
    for body in [json!({"meeting_id": meeting}), json!({"also": session})] {
        app.bare("POST", &tickets).header("authorization", "Bearer their-key").json(&body).send().await.refused(404);
    }
    for bad in ["x", "", &"0".repeat(32), &"0".repeat(4_000), "%00", "%ff"] {
        assert_eq!(app.bare("GET", &format!("/streams/{bad}")).send().await.status, 404, "{bad}");
    }
}
