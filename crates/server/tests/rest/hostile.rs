//! Requests that no client would send: each is refused in the envelope, and none is our fault.

use serde_json::json;

use crate::support::TestApp;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

#[tokio::test]
async fn bodies_of_every_wrong_kind() {
    let app = TestApp::dev().await;
    let bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"{\"title\":\"a\\u0000b\"}".to_vec(),
        b"{\"title\":\"a\0b\"}".to_vec(),
        b"{\"title\":\"\xff\"}".to_vec(),
        b"{\"title\":\"\\ud800\"}".to_vec(),
        b"{\"title\":\"a\",\"title\":\"b\"}".to_vec(),
        b"{\"title\":1e999}".to_vec(),
        b"{} trailing".to_vec(),
        b"title=x".to_vec(),
        b"{\"session_keep_alive_time_in_secs\":-1}".to_vec(),
        b"{\"session_keep_alive_time_in_secs\":1e300}".to_vec(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let said = app.call("POST", "/meetings").header("content-type", "application/json").bytes(&body).send().await;
        assert!(said.refused(400).starts_with("BAD_REQUEST: "), "{shown}");
    }
    assert_eq!(app.get("/meetings").await.expect(200)["paging"]["total_count"], 0);
    // What is not read may be as deep as it likes; what is kept may not.
    let deep = format!("{{\"plugins\":{}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    app.call("POST", "/meetings").bytes(deep.as_bytes()).send().await.expect(201);
    let preset = app.get("/presets").await.expect(200)["data"][0]["id"].clone();
    let path = format!("/presets/{}", preset.as_str().unwrap_or_default());
    app.call("PATCH", &path).bytes(deep.as_bytes()).send().await.refused(400);
    // Text of any other kind is text.
    let odd = "\u{1F980}\u{202E}<script>'\"\\ \u{FFFF}\u{7f}";
    let made = app.post("/meetings", json!({"title": odd})).await.expect(201);
    assert_eq!(made["data"]["title"], odd);
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let app = TestApp::with(|config| config.limits.body_bytes = 10_000).await;
    let body = json!({"title": "x", "stray": "y".repeat(20_000)}).to_string();
    app.call("POST", "/meetings").bytes(body.as_bytes()).send().await.refused(413);
    // One that does not say how large it is.
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let call = app.call("POST", "/meetings").header("transfer-encoding", "chunked").header("content-length", "");
    let call = call.without("content-length").bytes(chunked.as_bytes());
    let said = call.send().await;
    assert!(matches!(said.status, 400 | 413), "{}", said.status);
    app.get("/meetings").await.expect(200);
}

#[tokio::test]
async fn addresses_of_every_wrong_kind() {
    let app = TestApp::dev().await;
    for id in ["x", "1", "%00", "..%2f..", "%ff", "'%20or%201=1", "dev", &UNKNOWN[1..], "00000000-0000-4000-8000-00000000000g"] {
        for path in [
            format!("/meetings/{id}"),
            format!("/presets/{id}"),
            format!("/sessions/{id}"),
            format!("/meetings/{id}/active-session"),
        ] {
            app.get(&path).await.refused(400);
        }
    }
    let long = "x".repeat(5_000);
    app.get(&format!("/meetings/{long}")).await.refused(400);
    for path in [
        format!("/meetings/{UNKNOWN}"),
        format!("/presets/{UNKNOWN}"),
        format!("/sessions/{UNKNOWN}"),
        format!("/meetings/{UNKNOWN}/participants"),
    ] {
        app.get(&path).await.refused(404);
    }
    for (method, path) in [("GET", "/nope"), ("GET", "/meetings/"), ("POST", "/"), ("GET", ""), ("GET", "//meetings")] {
        app.call(method, path).send().await.refused(404);
    }
    for (method, path) in [("DELETE", "/meetings"), ("PATCH", "/presets"), ("BREW", "/meetings"), ("OPTIONS", "/meetings")] {
        app.call(method, path).send().await.refused(405);
    }
    let head = app.call("HEAD", "/meetings").send().await;
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, Some("application/json"), 0));
}

#[tokio::test]
async fn what_salon_does_not_have_yet_says_so() {
    let app = TestApp::dev().await;
    for (method, path) in [
        ("GET", "/recordings"),
        ("POST", "/recordings"),
        ("PUT", "/recordings/x"),
        ("POST", "/recordings/track"),
        ("GET", "/livestreams"),
        ("POST", "/meetings/x/livestreams"),
        ("POST", "/meetings/x/active-livestream/stop"),
        ("GET", "/analytics/daywise"),
    ] {
        let said = app.call(method, path).send().await;
        assert!(said.refused(422).starts_with("NOT_IMPLEMENTED: this server does not have "), "{method} {path}");
    }
}

#[tokio::test]
async fn a_node_whose_store_is_gone_says_so() {
    let app = TestApp::dev().await;
    assert_eq!(app.bare("GET", "/health").send().await.expect(200)["media"], "ok");
    app.running.doors.store.close().await;
    app.bare("GET", "/health").send().await.expect(503);
    let said = app.get("/meetings").await;
    said.refused(503);
    assert!(said.header("retry-after").is_some());
}
