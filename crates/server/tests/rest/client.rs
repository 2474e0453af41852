//! What the client SDK asks and reports on its own.

use serde_json::json;

use crate::support::{TestApp, Text};

#[tokio::test]
async fn a_participant_learns_who_it_is() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let ada = app.participant(&meeting, "group_call_host", "ada").await;
    let ask = |path: &str, token: &str| {
        app.bare("GET", path).header("host", "api.localhost:1").header("authorization", &format!("Bearer {token}"))
    };
    let token = ada["token"].text();
    let details = ask("/v2/internals/participant-details", &token).send().await.expect(200)["data"].clone();
    let participant = &details["participant"];
    assert_eq!(participant["id"], ada["id"]);
    for (field, value) in [("name", "ada"), ("custom_participant_id", "ada"), ("organization_id", "dev")] {
        assert_eq!(participant[field], value);
    }
    assert!(participant["picture"].is_null());
    assert_eq!(details["meeting"], json!({"title": "Planning"}));
    assert_eq!(
        (&details["preset"]["name"], &details["preset"]["config"]["view_type"]),
        (&json!("group_call_host"), &json!("GROUP_CALL"))
    );
    assert!(details["preset"]["permissions"]["plugins"]["config"].is_object(), "clients fail without it");
    assert_eq!(ask("/iceservers", &token).send().await.expect(200), json!({"success": true, "iceServers": []}));

    let altered = format!("{}x", token);
    for bad in ["", "x", "eyJ.eyJ.x", altered.as_str(), "dev-token"] {
        for path in ["/v2/internals/participant-details", "/iceservers"] {
            assert_eq!(ask(path, bad).send().await.expect(401), json!({"message": "Unauthorized"}), "{bad}");
        }
    }
    // A token of a participant opens no door of the API.
    let call = app.call("GET", "/meetings").without("authorization").header("authorization", &format!("Bearer {token}"));
    call.send().await.refused(403);
}

#[tokio::test]
async fn configured_ice_servers_are_told() {
    let app = TestApp::with(|config| {
        config.ice.urls = vec!["turn:turn.example.org:3478".to_owned()];
        config.ice.username = "u".to_owned();
        config.ice.credential = "c".into();
    })
    .await;
    let meeting = app.meeting("Planning").await;
    let token = app.participant(&meeting, "group_call_host", "ada").await["token"].text();
    let said = app.bare("GET", "/iceservers").header("authorization", &format!("Bearer {token}")).send().await.expect(200);
    assert_eq!(said["iceServers"], json!([{"urls": ["turn:turn.example.org:3478"], "username": "u", "credential": "c"}]));
}

#[tokio::test]
async fn each_participant_has_a_turn_password_that_expires() {
    let app = TestApp::with(|config| {
        config.ice.urls = vec!["turn:turn.example.org:3478".to_owned()];
        config.ice.secret = "north".into();
    })
    .await;
    let meeting = app.meeting("Planning").await;
    let ada = app.participant(&meeting, "group_call_host", "ada").await;
    let call = app.bare("GET", "/iceservers").header("authorization", &format!("Bearer {}", ada["token"].text()));
    let said = call.send().await.expect(200);
    let server = &said["iceServers"][0];
    assert_eq!(server["urls"], json!(["turn:turn.example.org:3478"]));
    let username = server["username"].text();
    let (until, user) = username.split_once(':').expect("a time and a name");
    let now = app.running.doors.clock.now().0 / 1_000;
    assert!((now + 86_000..=now + 86_400).contains(&until.parse().expect("seconds")), "{username}");
    assert_eq!(user, ada["id"].text());
    assert_eq!(server["credential"].text().len(), 28, "the 20 bytes of an HMAC");
    assert!(!said.to_string().contains("north"));
}

#[tokio::test]
async fn reports_are_taken_and_dropped() {
    let app = TestApp::dev().await;
    for path in ["/otel/logs", "/api/v1/message"] {
        for encoding in ["identity", "gzip", "nonsense"] {
            let call = app.bare("POST", path).header("content-encoding", encoding).bytes(b"\x1f\x8b\0\xff");
            assert_eq!(call.send().await.expect(200), json!({}));
        }
        app.bare("POST", path).bytes(&vec![0; 5 * 1024 * 1024]).send().await.refused(413);
    }
    let nowhere = json!({"ip": "", "city": "", "region": "", "country": "", "loc": "0,0", "timezone": "UTC"});
    for (method, host, path) in [
        ("GET", "localhost", "/location"),
        ("POST", "localhost", "/location?token=x&peerId=y"),
        ("GET", "location.localhost:1", "/"),
        ("POST", "location-legacy.localhost:1", "/?token=x"),
    ] {
        let said = app.bare(method, path).header("host", host).send().await;
        assert_eq!((said.expect(200), said.header("access-control-allow-origin")), (nowhere.clone(), Some("*")), "{path}");
    }
}

#[tokio::test]
async fn pages_may_send_what_the_client_sdk_sends() {
    let app = TestApp::dev().await;
    let call = app.bare("OPTIONS", "/v2/recordings").header("origin", "https://example.org");
    let said = call.header("access-control-request-method", "POST").send().await;
    assert_eq!((said.status, said.header("access-control-allow-origin")), (204, Some("*")));
    assert!(said.header("access-control-allow-methods").expect("methods").contains("PUT"));
    let headers = said.header("access-control-allow-headers").expect("headers");
    for needed in ["authorization", "tracing-id", "traceparent", "x-realtimekit-version", "content-type", "content-encoding"] {
        assert!(headers.contains(needed), "{needed}");
    }
    assert!(said.header("access-control-max-age").is_some());
}

#[tokio::test]
async fn what_clients_look_for_and_is_not_there() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let token = app.participant(&meeting, "group_call_host", "ada").await["token"].text();
    // With a participant's token, as the client SDK asks, or an app's key.
    for credential in [format!("Bearer {token}"), "Basic ZGV2OmRldi10b2tlbg==".to_owned()] {
        let ask = |method, path: &str| app.bare(method, path).header("authorization", &credential);
        let none = ask("GET", &format!("/v2/meetings/{meeting}/active-livestream")).send().await;
        assert_eq!(none.expect(200), json!({"success": true, "data": {}}));
        ask("GET", &format!("/v2/recordings/active-recording/{meeting}")).send().await.refused(404);
        ask("GET", &format!("/v2/meetings/{meeting}/active-transcript")).send().await.refused(404);
        ask("POST", "/v2/recordings").json(&json!({})).send().await.refused(422);
    }
}
