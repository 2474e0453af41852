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
async fn a_participant_who_asks_too_often_is_told_so_and_others_go_on() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let token = async |id| app.participant(&meeting, "webinar_viewer", id).await["token"].text();
    let (mallory, ada) = (token("mallory").await, token("ada").await);
    let ask = async |token: &str| {
        let asked = app.bare("GET", "/v2/internals/participant-details").header("authorization", &format!("Bearer {token}"));
        asked.send().await
    };
    let mut told = None;
    for _ in 0..1_000 {
        let said = ask(&mallory).await;
        if said.status == 429 {
            told = Some(said);
            break;
        }
        said.expect(200);
    }
    let secs = told.as_ref().and_then(|said| said.header("retry-after")).map(|secs| secs.parse::<u64>().unwrap());
    assert_eq!(secs, Some(1), "two a second");
    ask(&ada).await.expect(200);
    app.get("/meetings").await.expect(200);
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
    let server =
        json!({"urls": ["turn:turn.example.org:3478"], "url": "turn:turn.example.org:3478", "username": "u", "credential": "c"});
    assert_eq!(said["iceServers"], json!([server]));
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
    let asks = |names: &str| {
        let call = app.bare("OPTIONS", "/v2/recordings").header("origin", "https://example.org");
        call.header("access-control-request-method", "POST").header("access-control-request-headers", names)
    };
    // Those of web SDK 2.0.2, and of Dyte's clients.
    let names = "authorization, tracing-id, traceparent, x-realtimekit-version, content-type, content-encoding, dyte-tracing-id";
    let said = asks(names).send().await;
    assert_eq!((said.status, said.header("access-control-allow-origin")), (204, Some("*")));
    assert!(said.header("access-control-allow-methods").expect("methods").contains("PUT"));
    assert_eq!(said.header("access-control-allow-headers"), Some(names));
    assert!(said.header("access-control-max-age").is_some());
    let said = asks(&"x-very-long-name, ".repeat(100)).send().await;
    assert_eq!(said.header("access-control-allow-headers"), Some("authorization, content-type"), "within a bound");
}

#[tokio::test]
async fn clients_before_2_0_have_the_answers_they_do_not_start_without() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let ada = app.participant(&meeting, "group_call_participant", "ada").await;
    app.join(&ada["id"].text()).await;
    let ask = |method, path: &str| app.bare(method, path).header("authorization", &format!("Bearer {}", ada["token"].text()));

    let none = ask("GET", "/v2/plugins/user").send().await.expect(200);
    assert_eq!(none, json!({"success": true, "data": {"plugins": []}}));
    let room = ask("POST", "/v2/internals/rooms").json(&json!({"ip_information": {"city": "Oslo"}})).send().await.expect(200);
    let expected = json!({"title": "Planning", "room_node_link": "none", "use_hive_media": false, "sfu": 3});
    assert_eq!(room, json!({"success": true, "data": expected}));
    let flags = app.bare("POST", "/api/v1/identities/").header("x-environment-key", "k").json(&json!({"identifier": "ada"}));
    assert_eq!(flags.send().await.expect(200), json!({"flags": [], "traits": []}));
    let upload = ask("POST", "/v1/meetings/genPreSignedUploadUrl").json(&json!({"roomUUID": meeting, "filename": "a.txt"}));
    let links = upload.send().await.expect(200)["data"].clone();
    let put = links["putLocation"].text();
    let path = put.strip_prefix(&format!("http://{}", app.running.addr)).expect("here").to_owned();
    app.bare("PUT", &path).header("content-type", "text/plain").bytes(b"hello").send().await.expect(200);
    assert!(links["getLocation"].text().contains("/files/chat/"));
    let details = ask("GET", "/v2/internals/participant-details").send().await.expect(200)["data"].clone();
    for time in ["created_at", "updated_at"] {
        assert!(details["preset"][time].text().ends_with('Z'), "{time}");
    }
    for (method, path) in
        [("GET", "/v2/plugins/user"), ("POST", "/v2/internals/rooms"), ("POST", "/v1/meetings/genPreSignedUploadUrl")]
    {
        app.bare(method, path).json(&json!({})).send().await.expect(401);
    }
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
    }
}
