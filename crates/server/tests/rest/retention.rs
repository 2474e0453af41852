//! What is left of a session whose days are over: nothing that can be asked for.

use salon_server::start::retention::{Days, once};
use serde_json::json;

use crate::support::{TestApp, Text};

#[tokio::test]
async fn a_session_whose_days_are_over_is_gone_from_everywhere_and_the_others_are_not() {
    let app = TestApp::dev().await;
    let (old, live) = (app.meeting("Old").await, app.meeting("Live").await);
    let (person, _) = app.enter(&old, "ada").await;
    app.enter(&live, "bob").await;
    let session = app.get(&format!("/meetings/{old}/active-session")).await.expect(200)["data"]["id"].text();
    app.post(&format!("/meetings/{old}/active-session/kick-all"), json!({})).await.expect(200);
    let total = async || app.get("/sessions").await.expect(200)["paging"]["total_count"].clone();
    assert_eq!(total().await, 2);

    let store = &app.running.doors.store;
    let in_two_days = app.running.doors.clock.now().plus_ms(2 * 86_400_000);
    assert_eq!(once(store, Days::default(), in_two_days).await.expect("a store"), 0);
    assert_eq!(once(store, Days { sessions: 3, chat: 3, quality: 3, entrance: 3 }, in_two_days).await.expect("a store"), 0);
    assert_eq!(total().await, 2, "for good unless set, and not a day early");
    assert_eq!(once(store, Days { sessions: 1, chat: 0, quality: 1, entrance: 1 }, in_two_days).await.expect("a store"), 0);
    assert_eq!(total().await, 1);
    for path in ["", "/participants", &format!("/participants/{person}"), "/chat"] {
        app.get(&format!("/sessions/{session}{path}")).await.refused(404);
    }
    let listed = app.get(&format!("/sessions?associated_id={old}")).await.expect(200);
    assert_eq!((&listed["data"]["sessions"], &listed["paging"]["total_count"]), (&json!([]), &json!(0)));
    app.get(&format!("/meetings/{live}/active-session")).await.expect(200);
    // Its meeting goes on.
    app.enter(&old, "ada").await;
    assert_eq!(total().await, 2);

    let log = app.bare("GET", "/accounts/dev/audit-log?action=retention%20of%20sessions");
    let log = log.header("authorization", "Bearer dev-token").send().await.expect(200)["data"].clone();
    assert_eq!(log.as_array().map(Vec::len), Some(1), "{log}");
    assert_eq!(log[0]["actor"], json!({"type": "salon", "id": null}));
    assert_eq!(log[0]["subjects"], json!([{"type": "session", "id": session}]));
    assert_eq!(log[0]["app_id"], "dev");
}
