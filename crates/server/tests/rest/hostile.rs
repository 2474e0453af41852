//! Requests that no client would send: each is refused in the envelope, and none is our fault.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TestApp, preset_body};

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
    let odd = "\u{1F980}<script>'\"\\ \u{FFFF}";
    let made = app.post("/meetings", json!({"title": odd})).await.expect(201);
    assert_eq!(made["data"]["title"], odd);
}

#[tokio::test]
async fn names_that_hide_or_deceive() {
    let app = TestApp::dev().await;
    let meeting = app.post("/meetings", json!({"title": " Team \u{3000}"})).await.expect(201);
    assert_eq!(meeting["data"]["title"], "Team");
    let meeting = format!("/meetings/{}", meeting["data"]["id"].as_str().expect("an id"));
    let person = |name: &str| json!({"name": name, "preset_name": "group_call_host", "custom_participant_id": "ada"});
    let ada = app.post(&format!("{meeting}/participants"), person("Ada")).await.expect(201);
    let ada = format!("{meeting}/participants/{}", ada["data"]["id"].as_str().expect("an id"));
    let preset = app.get("/presets").await.expect(200)["data"][0]["id"].clone();
    let preset = format!("/presets/{}", preset.as_str().expect("an id"));
    let apps = || app.bare("POST", "/client/v4/accounts/dev/realtime/kit/apps").header("authorization", "Bearer dev-token");
    let bad = [
        ("Ada\nhost", "must not have line breaks"),
        ("A\u{7f}", "control"),
        ("Ada\u{202E}nimda", "must not have characters that turn"),
    ];
    for (name, why) in bad {
        for (field, said) in [
            ("title", app.post("/meetings", json!({"title": name})).await),
            ("title", app.call("PUT", &meeting).json(&json!({"title": name})).send().await),
            ("title", app.call("PATCH", &meeting).json(&json!({"title": name})).send().await),
            ("name", app.post(&format!("{meeting}/participants"), person(name)).await),
            ("name", app.call("PATCH", &ada).json(&json!({"name": name})).send().await),
            ("name", app.post("/presets", preset_body(name)).await),
            ("name", app.call("PUT", &preset).json(&preset_body(name)).send().await),
            ("name", app.call("PATCH", &preset).json(&json!({"name": name})).send().await),
            ("name", apps().json(&json!({"name": name})).send().await),
        ] {
            let told = said.refused(400);
            assert!(told.starts_with(&format!("BAD_REQUEST: \"{field}\" must not have ")) && told.contains(why), "{told}");
        }
    }
    // Blank is none where none is allowed, and refused elsewhere.
    for blank in ["", " ", "\u{200B}"] {
        assert!(app.post("/meetings", json!({"title": blank})).await.expect(201)["data"]["title"].is_null());
        assert!(app.call("PATCH", &ada).json(&json!({"name": blank})).send().await.expect(200)["data"]["name"].is_null());
        let why = if blank.is_empty() { "is not allowed to be empty" } else { "must not be blank" };
        let told = format!("BAD_REQUEST: \"name\" {why}");
        assert_eq!(apps().json(&json!({"name": blank})).send().await.refused(400), told);
        assert_eq!(app.post("/presets", preset_body(blank)).await.refused(400), told);
    }
    // What is kept trimmed is found by what was sent.
    app.post("/presets", preset_body(" My host ")).await.expect(200);
    let mut with_blanks = person("Bob");
    with_blanks["preset_name"] = " My host ".into();
    app.post(&format!("{meeting}/participants"), with_blanks).await.expect(201);
    let family = "👩\u{200D}👩\u{200D}👧 می\u{200C}خواهم";
    assert_eq!(app.post("/meetings", json!({"title": family})).await.expect(201)["data"]["title"], family);
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

/// Many clients listen only when they have sent everything.
#[tokio::test]
async fn a_body_that_is_too_large_is_taken_in_before_it_is_refused() {
    let app = TestApp::dev().await;
    let mut stream = TcpStream::connect(app.running.addr).await.unwrap();
    let (path, bytes) = ("/client/v4/accounts/dev/realtime/kit/dev/meetings", 15 << 20);
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer dev-token\r\ncontent-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; bytes]).await.expect("all of it is taken in");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
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
    // Where the address has no row, only a name: links.
    for path in [
        "/live/%ff/index.m3u8".to_owned(),
        "/live/x/%ff".to_owned(),
        "/downloads/chat/%ff".to_owned(),
        "/files/transcripts/%ff".to_owned(),
        format!("/files/recordings/{UNKNOWN}/%ff"),
        "/files/chat/%ff/x".to_owned(),
    ] {
        app.bare("GET", &path).send().await.refused(404);
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
    let (head, get) = (app.call("HEAD", "/meetings").send().await, app.get("/meetings").await);
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, Some("application/json"), 0));
    assert_eq!(head.header("content-length"), get.header("content-length"));
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
