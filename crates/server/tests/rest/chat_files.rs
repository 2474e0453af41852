//! Files for the chat: who may upload, what happens to an upload on its way, and how a file is handed out.

use std::path::PathBuf;

use salon_core::FileId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Call, Said, TestApp, Text};

const LINK_GONE: &str = "This link is not valid, or not any more";

/// Somebody who is in a meeting.
struct Sender {
    meeting: String,
    token: String,
}

async fn sender(app: &TestApp, preset: &str) -> Sender {
    let meeting = app.meeting("Planning").await;
    let ada = app.participant(&meeting, preset, "ada").await;
    app.join(&ada["id"].text()).await;
    Sender { meeting, token: ada["token"].text() }
}

impl Sender {
    async fn asks(&self, app: &TestApp, body: Value) -> Said {
        let call = app.bare("POST", "/v2/meetings/chat-upload").header("authorization", &format!("Bearer {}", self.token));
        call.json(&body).send().await
    }

    /// The paths of the two links: where to put, and where to get.
    async fn links(&self, app: &TestApp, name: &str) -> (String, String) {
        let data = self.asks(app, json!({"roomUUID": self.meeting, "filename": name})).await.expect(200)["data"].clone();
        let path = |key: &str| {
            let url = data[key].text();
            url.strip_prefix(&format!("http://{}", app.running.addr)).expect("the address that was called").to_owned()
        };
        (path("put_location"), path("get_location"))
    }
}

fn put(app: &TestApp, path: &str, kind: &str, bytes: &[u8]) -> Call {
    app.bare("PUT", path).header("content-type", kind).bytes(bytes)
}

/// Everything that lies in the folder of files.
fn stored(app: &TestApp) -> Vec<PathBuf> {
    fn walk(folder: PathBuf, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut found = Vec::new();
    walk(app.data.join("files"), &mut found);
    found
}

#[tokio::test]
async fn a_file_is_uploaded_once_and_handed_out() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, file) = ada.links(&app, "Pläne/1.pdf").await;
    assert!(file.contains("/Pl%C3%A4ne%2F1.pdf?signature="), "{file}");
    assert_eq!(app.bare("GET", &file).send().await.refused(404), LINK_GONE, "not there yet");
    // Larger than a part, so that it goes through a half-written file.
    let bytes: Vec<u8> = (0..1_000_000).map(|at| (at % 251) as u8).collect();
    let taken = put(&app, &upload, "application/pdf", &bytes).send().await;
    assert_eq!((taken.expect(200), taken.header("access-control-allow-origin")), (json!({}), Some("*")));

    let whole = app.bare("GET", &file).send().await;
    assert_eq!((whole.status, whole.body == bytes), (200, true));
    for (header, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "1000000"),
        ("content-disposition", "attachment; filename=\"Pl_ne_1.pdf\"; filename*=UTF-8''Pl%C3%A4ne%2F1.pdf"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("access-control-allow-origin", "*"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(whole.header(header), Some(value), "{header}");
    }
    let part = app.bare("GET", &file).header("range", "bytes=999998-").send().await;
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[999_998..]));
    assert_eq!(part.header("content-range"), Some("bytes 999998-999999/1000000"));
    let beyond = app.bare("GET", &file).header("range", "bytes=1000000-").send().await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */1000000")));
    let head = app.bare("HEAD", &file).send().await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000000")));

    assert_eq!(put(&app, &upload, "text/plain", b"other").send().await.refused(409), "The file was uploaded already");
    assert!(app.bare("GET", &file).send().await.body == bytes, "it never changes");
    assert_eq!(stored(&app).len(), 1);
}

#[tokio::test]
async fn links_open_nothing_but_what_they_were_made_for() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, file) = ada.links(&app, "a.txt").await;
    let (other_upload, other_file) = ada.links(&app, "b.txt").await;
    let query = |link: &str| link.split_once('?').expect("a query").1.to_owned();
    let path = |link: &str| link.split_once('?').expect("a query").0.to_owned();
    for bad in [
        path(&upload),
        file.clone(),
        format!("{}?{}", path(&upload), query(&other_upload)),
        upload.replace("expires=1", "expires=2"),
        upload.replace("signature=", "signature=0"),
        "/files/chat/x/y".to_owned(),
        "/files/chat/%00/y?expires=1&signature=x".to_owned(),
    ] {
        assert_eq!(put(&app, &bad, "text/plain", b"x").send().await.refused(404), LINK_GONE, "{bad}");
    }
    put(&app, &upload, "text/plain", b"x").send().await.expect(200);
    for bad in [path(&file), upload.clone(), format!("{}?{}", path(&file), query(&other_file)), other_file] {
        assert_eq!(app.bare("GET", &bad).send().await.refused(404), LINK_GONE, "{bad}");
    }
    assert_eq!(app.bare("GET", &file).send().await.body, b"x");
}

#[tokio::test]
async fn links_are_at_the_address_that_was_called() {
    let app = TestApp::with(|config| config.http.hosts = vec!["meet.example.org".to_owned()]).await;
    let ada = sender(&app, "group_call_participant").await;
    let body = json!({"roomUUID": ada.meeting, "filename": "a.txt"});
    let call = app.bare("POST", "/v2/meetings/chat-upload").header("authorization", &format!("Bearer {}", ada.token));
    let call = call.header("host", "api.meet.example.org").header("x-forwarded-proto", "https");
    let data = call.json(&body).send().await.expect(200)["data"].clone();
    for key in ["get_location", "put_location"] {
        assert!(data[key].text().starts_with("https://api.meet.example.org/files/chat/"), "{data}");
    }
    let app = TestApp::with(|config| config.http.public_url = "https://meet.example.org".to_owned()).await;
    let ada = sender(&app, "group_call_participant").await;
    let body = json!({"roomUUID": ada.meeting, "filename": "a.txt"});
    let data = ada.asks(&app, body).await.expect(200)["data"].clone();
    assert!(data["put_location"].text().starts_with("https://meet.example.org/files/chat/"), "{data}");
}

#[tokio::test]
async fn only_those_upload_who_are_in_and_may() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let body = json!({"roomUUID": ada.meeting, "filename": "a.txt"});
    let nobody = app.bare("POST", "/v2/meetings/chat-upload").json(&body).send().await;
    assert_eq!(nobody.expect(401), json!({"message": "Unauthorized"}));
    let elsewhere = app.meeting("Elsewhere").await;
    let other = ada.asks(&app, json!({"roomUUID": elsewhere, "filename": "a.txt"})).await;
    assert_eq!(other.refused(403), "The token is for another meeting");

    let bob = app.participant(&ada.meeting, "group_call_participant", "bob").await;
    let outside = Sender { meeting: ada.meeting.clone(), token: bob["token"].text() };
    assert_eq!(outside.asks(&app, body.clone()).await.refused(404), "join the meeting first");
    let peer = app.join(&bob["id"].text()).await;
    outside.asks(&app, body.clone()).await.expect(200);
    app.leave(&ada.meeting, &peer).await;
    assert_eq!(outside.asks(&app, body.clone()).await.refused(404), "join the meeting first");

    let empty = app.meeting("Empty").await;
    let cleo = app.participant(&empty, "group_call_host", "cleo").await;
    let alone = Sender { meeting: empty.clone(), token: cleo["token"].text() };
    alone.asks(&app, json!({"roomUUID": empty, "filename": "a.txt"})).await.refused(404);

    for (bad, why) in [
        (json!({"filename": "a"}), "\"roomUUID\" is required"),
        (json!({"roomUUID": ada.meeting}), "\"filename\" is required"),
        (json!({"roomUUID": ada.meeting, "filename": ""}), "\"filename\" is not allowed to be empty"),
        (json!({"roomUUID": ada.meeting, "filename": "x".repeat(256)}), "must not be longer than 255 characters"),
        (json!({"roomUUID": ada.meeting, "filename": "a", "expiry": 0}), "\"expiry\" must be from 1"),
        (json!({"roomUUID": ada.meeting, "filename": "a", "expiry": -1e300}), "\"expiry\" must be from 1"),
    ] {
        assert!(ada.asks(&app, bad).await.refused(400).contains(why), "{why}");
    }
}

#[tokio::test]
async fn each_permission_is_asked() {
    let app = TestApp::dev().await;
    let presets = app.get("/presets?per_page=100").await.expect(200)["data"].clone();
    let found = presets.as_array().expect("a list").iter().find(|it| it["name"] == "group_call_host").expect("a host").clone();
    let path = format!("/presets/{}", found["id"].text());
    let ada = sender(&app, "group_call_host").await;
    ada.asks(&app, json!({"roomUUID": ada.meeting, "filename": "a"})).await.expect(200);
    let chat = |public: [bool; 2], private: [bool; 2]| {
        json!({"permissions": {"chat": {
            "public": {"can_send": public[0], "files": public[1]},
            "private": {"can_send": private[0], "files": private[1]},
        }}})
    };
    for (patch, allowed) in [
        (chat([true, true], [false, false]), true),
        (chat([false, false], [true, true]), true),
        (chat([true, false], [true, false]), false),
        (chat([false, true], [false, true]), false),
        (chat([false, true], [true, false]), false),
    ] {
        app.call("PATCH", &path).json(&patch).send().await.expect(200);
        let ada = sender(&app, "group_call_host").await;
        let said = ada.asks(&app, json!({"roomUUID": ada.meeting, "filename": "a"})).await;
        if allowed { drop(said.expect(200)) } else { assert_eq!(said.refused(403), "the preset does not allow this", "{patch}") }
    }
}

#[tokio::test]
async fn there_are_limits() {
    let app = TestApp::with(|config| {
        config.files.file_bytes = 600_000;
        config.files.meeting_bytes = 1_000_000;
        config.files.types = vec!["image/*".to_owned(), "text/plain".to_owned()];
    })
    .await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, file) = ada.links(&app, "a.png").await;
    let large = vec![0; 600_001];
    assert_eq!(put(&app, &upload, "image/png", &large).send().await.refused(413), "The file is larger than 600000 bytes");
    // One that does not say how large it is.
    let chunked = [format!("{:x}\r\n", large.len()).into_bytes(), large, b"\r\n0\r\n\r\n".to_vec()].concat();
    let call = put(&app, &upload, "image/png", &chunked).header("transfer-encoding", "chunked").header("content-length", "");
    call.without("content-length").send().await.refused(413);
    for kind in ["text/html", "application/pdf", "nonsense", "", "text/plain2", "image2/png"] {
        put(&app, &upload, kind, b"x").send().await.refused(415);
    }
    assert_eq!(stored(&app), Vec::<PathBuf>::new(), "what was refused leaves nothing");
    put(&app, &upload, "IMAGE/PNG", &vec![1; 600_000]).send().await.expect(200);
    assert_eq!(app.bare("GET", &file).send().await.header("content-type"), Some("IMAGE/PNG"));

    let (upload, _) = ada.links(&app, "b.txt").await;
    put(&app, &upload, "text/plain; charset=utf-8", &vec![1; 500_000]).send().await.expect(200);
    let full = ada.asks(&app, json!({"roomUUID": ada.meeting, "filename": "c"})).await;
    assert_eq!(full.refused(422), "The files of this meeting take all the room they may");

    let bob = sender(&app, "group_call_participant").await;
    for _ in 0..20 {
        bob.links(&app, "a.png").await;
    }
    let often = bob.asks(&app, json!({"roomUUID": bob.meeting, "filename": "c"})).await;
    often.refused(429);
    assert!(often.header("retry-after").is_some());
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing_and_may_be_tried_again() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, file) = ada.links(&app, "a.bin").await;
    let mut stream = TcpStream::connect(app.running.addr).await.expect("the node accepts");
    let head = format!("PUT {upload} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream.write_all(&vec![7; 1_500_000]).await.expect("most of a body");
    let wait = |wanted: fn(&[PathBuf]) -> bool| {
        let app = &app;
        async move {
            let until = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
            while !wanted(&stored(app)) {
                assert!(tokio::time::Instant::now() < until, "{:?}", stored(app));
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
    };
    wait(|stored| !stored.is_empty()).await;
    app.bare("GET", &file).send().await.refused(404);
    drop(stream);
    wait(<[PathBuf]>::is_empty).await;
    put(&app, &upload, "text/plain", b"whole").send().await.expect(200);
    assert_eq!(app.bare("GET", &file).send().await.body, b"whole");
}

#[tokio::test]
async fn of_two_uploads_at_once_one_counts() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, file) = ada.links(&app, "a.txt").await;
    let mut slow = TcpStream::connect(app.running.addr).await.expect("the node accepts");
    let head = "connection: close\r\nexpect: 100-continue\r\ncontent-length: 4";
    slow.write_all(format!("PUT {upload} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n").as_bytes()).await.expect("its head");
    // It has a place when its body is asked for.
    let mut asked = [0; 25];
    slow.read_exact(&mut asked).await.expect("its body is wanted");
    assert_eq!(asked.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(b"sl").await.expect("half of it");
    put(&app, &upload, "text/plain", b"fast").send().await.expect(200);
    slow.write_all(b"ow").await.expect("the other half");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
    assert_eq!(app.bare("GET", &file).send().await.body, b"fast");
    assert_eq!(stored(&app).len(), 1);
}

#[tokio::test]
async fn one_link_cannot_be_sent_over_and_over_and_other_links_go_on() {
    let app = TestApp::dev().await;
    let ada = sender(&app, "group_call_participant").await;
    let (upload, _) = ada.links(&app, "a.txt").await;
    let send = async || put(&app, &upload, "no type", b"x").send().await.status;
    let mut refused = 0;
    while send().await != 429 {
        refused += 1;
        assert!(refused < 100, "as often as it likes");
    }
    assert!(refused >= 12, "{refused}");
    let (another, file) = ada.links(&app, "b.txt").await;
    put(&app, &another, "text/plain", b"b").send().await.expect(200);
    assert_eq!(app.bare("GET", &file).send().await.body, b"b");
}

#[tokio::test]
async fn files_go_when_their_time_is_over() {
    let app = TestApp::with(|config| config.files.keep_days = 7).await;
    let ada = sender(&app, "group_call_participant").await;
    let keeps = app.post("/meetings", json!({"title": "Kept", "persist_chat": true})).await.expect(201)["data"]["id"].text();
    let bob = app.participant(&keeps, "group_call_host", "bob").await;
    app.join(&bob["id"].text()).await;
    let bob = Sender { meeting: keeps, token: bob["token"].text() };
    let (upload, old) = ada.links(&app, "old.txt").await;
    put(&app, &upload, "text/plain", b"old").send().await.expect(200);
    let (upload, kept) = bob.links(&app, "kept.txt").await;
    put(&app, &upload, "text/plain", b"kept").send().await.expect(200);
    let (never, _) = bob.links(&app, "never.txt").await;
    let body = json!({"roomUUID": bob.meeting, "filename": "brief.txt", "expiry": 3_600});
    let data = bob.asks(&app, body).await.expect(200)["data"].clone();
    let path = |key: &str| data[key].text().split_once(&app.running.addr.to_string()).expect("our address").1.to_owned();
    put(&app, &path("put_location"), "text/plain", b"brief").send().await.expect(200);
    let brief = app.bare("GET", &path("get_location")).send().await;
    assert_eq!(
        (brief.body.as_slice(), brief.header("cache-control").is_some_and(|it| it.contains("max-age=3"))),
        (&b"brief"[..], true)
    );

    let state = &app.running.doors;
    let sweep_at = async |hours: i64| {
        salon_files::sweep_once(&state.files, &state.store, state.clock.now().plus_ms(hours * 3_600_000)).await.expect("a sweep");
    };
    sweep_at(0).await;
    assert_eq!(stored(&app).len(), 3, "nothing is over");
    sweep_at(2).await;
    assert_eq!(stored(&app).len(), 2);
    app.bare("GET", &path("get_location")).send().await.refused(404);
    let id = FileId::parse(never.split('/').nth(3).expect("an id")).expect("an id");
    assert_eq!(state.store.chat_file(&id).await.expect("a store"), None, "what never came is forgotten");
    sweep_at(6 * 24).await;
    assert_eq!(app.bare("GET", &old).send().await.body, b"old");
    sweep_at(8 * 24).await;
    app.bare("GET", &old).send().await.refused(404);
    assert_eq!(app.bare("GET", &kept).send().await.body, b"kept", "as long as the chat");
    assert_eq!(stored(&app).len(), 1);
}

/// Half an upload of ten bytes, which goes on when it is told to. The node is receiving it when this returns.
async fn begin(app: &TestApp, link: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.running.addr).await.expect("the node accepts");
    let head = format!(
        "PUT {link} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("the head of it");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"half ").await.expect("half of it");
    stream
}

async fn finish(mut stream: TcpStream) -> String {
    stream.write_all(b"whole").await.expect("the other half");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn one_link_many_times_at_once_is_one_upload() {
    let app = TestApp::dev().await;
    let (ada, bob) = (sender(&app, "group_call_participant").await, sender(&app, "group_call_participant").await);
    let (link, file) = ada.links(&app, "a.txt").await;
    let mut half = Vec::new();
    for _ in 0..40 {
        half.push(begin(&app, &link).await);
    }
    let (other, _) = bob.links(&app, "b.txt").await;
    put(&app, &other, "text/plain", b"mine").send().await.expect(200);
    let mut said = Vec::new();
    for upload in half {
        said.push(finish(upload).await);
    }
    let with = |status: &str| said.iter().filter(|said| *said == status).count();
    assert_eq!((with("200"), with("200") + with("409") + with("429")), (1, 40), "{said:?}");
    assert!(with("409") >= 11, "as often as one file may be sent: {said:?}");
    assert_eq!(app.bare("GET", &file).send().await.body, b"half whole");
}

#[tokio::test]
async fn a_participant_and_a_meeting_upload_so_many_files_at_once() {
    let app = TestApp::with(|config| config.files.uploads_at_once = 24).await;
    let ada = sender(&app, "group_call_participant").await;
    let cy = app.participant(&ada.meeting, "group_call_participant", "cy").await;
    app.join(&cy["id"].text()).await;
    let cy = Sender { meeting: ada.meeting.clone(), token: cy["token"].text() };
    let bob = sender(&app, "group_call_participant").await;
    let mut half = Vec::new();
    for n in 0..4 {
        half.push(begin(&app, &ada.links(&app, &format!("{n}")).await.0).await);
    }
    let (fifth, _) = ada.links(&app, "5").await;
    let said = put(&app, &fifth, "text/plain", b"x").send().await;
    assert_eq!(said.refused(429), "You upload 4 files, as many as one may at once; try again when one is done");
    assert!(said.header("retry-after").is_some());
    for n in 0..2 {
        half.push(begin(&app, &cy.links(&app, &format!("{n}")).await.0).await);
    }
    let (full, _) = cy.links(&app, "7").await;
    assert!(put(&app, &full, "text/plain", b"x").send().await.refused(429).starts_with("6 files of this meeting"));
    let (other, _) = bob.links(&app, "b.txt").await;
    put(&app, &other, "text/plain", b"x").send().await.expect(200);
    for upload in half {
        assert_eq!(finish(upload).await, "200");
    }
    put(&app, &fifth, "text/plain", b"x").send().await.expect(200);
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_keeps_no_other() {
    let app = TestApp::with(|config| config.files.keep_days = 1).await;
    let ada = sender(&app, "group_call_participant").await;
    let mut files = Vec::new();
    for name in ["first", "second"] {
        let (upload, file) = ada.links(&app, name).await;
        put(&app, &upload, "text/plain", name.as_bytes()).send().await.expect(200);
        files.push(file);
    }
    let id = files[0].split('/').nth(3).expect("an id");
    let circle = app.data.join("files/chat").join(id).join("circle");
    std::os::unix::fs::symlink(".", &circle).expect("a link to itself");
    let state = &app.running.doors;
    let sweep = async || {
        let in_two_days = state.clock.now().plus_ms(2 * 86_400_000);
        salon_files::sweep_once(&state.files, &state.store, in_two_days).await.expect("the store answers")
    };
    assert_eq!(sweep().await, 1, "so many are left");
    app.bare("GET", &files[1]).send().await.refused(404);
    assert!(state.store.chat_file(&FileId::parse(id).expect("an id")).await.expect("a store").is_some());
    std::fs::remove_file(&circle).expect("it goes");
    assert_eq!(sweep().await, 0);
    app.bare("GET", &files[0]).send().await.refused(404);
    assert_eq!(stored(&app), Vec::<PathBuf>::new());
}
