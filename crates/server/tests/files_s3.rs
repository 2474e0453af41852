//! Uploaded files in S3: a whole node against an S3 server in this process that checks every signature.

#[path = "support/disk.rs"]
mod disk;
#[path = "files_s3/recordings.rs"]
mod recordings;
#[path = "support/node.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use s3s::HttpError;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use salon_server::config::Config;
use serde_json::json;
use support::{Call, TestApp, Text};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A bucket whose objects are files, gone when dropped.
struct Bucket {
    root: PathBuf,
    endpoint: String,
    /// Whoever asks is told this and nothing else, unless it is 0.
    says: Arc<AtomicU16>,
}

impl Bucket {
    async fn open(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("s3-{name}-{}", std::process::id()));
        std::fs::create_dir_all(root.join("chats")).expect("a folder");
        let files = s3s_fs::FileSystem::new(&root).expect("a folder serves as S3");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single("salon", "hunter2"));
        let service =
            HandleError::new(service.build(), async |error: HttpError| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let says = Arc::new(AtomicU16::new(0));
        let said = says.clone();
        let door = from_fn(move |request: Request, next: Next| {
            let says = StatusCode::from_u16(said.load(Ordering::Relaxed));
            async move { if let Ok(status) = says { status.into_response() } else { next.run(request).await } }
        });
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback_service(service).layer(door)).await });
        Self { root, endpoint, says }
    }

    async fn node(&self, secret: &str) -> TestApp {
        TestApp::with(|config| self.serves(config, secret)).await
    }

    fn serves(&self, config: &mut Config, secret: &str) {
        config.files.s3_bucket = "chats".to_owned();
        config.files.s3_endpoint = self.endpoint.clone();
        config.files.s3_access_key = "salon".to_owned();
        config.files.s3_secret_key = secret.into();
    }

    /// How many objects there are, and how many uploads in parts are under way.
    fn holds(&self) -> (usize, usize) {
        fn files(folder: &Path) -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
        }
        let all = files(&self.root);
        let objects = all.iter().filter(|path| path.starts_with(self.root.join("chats"))).count();
        (objects, all.iter().filter(|path| path.to_string_lossy().contains("upload")).count())
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// The paths of the links for a file of somebody who is in.
async fn links(app: &TestApp, name: &str) -> (String, String) {
    let meeting = app.meeting("Planning").await;
    let ada = app.participant(&meeting, "group_call_host", "ada").await;
    app.join(&ada["id"].text()).await;
    let call = app.bare("POST", "/v2/meetings/chat-upload").header("authorization", &format!("Bearer {}", ada["token"].text()));
    let data = call.json(&json!({"roomUUID": meeting, "filename": name})).send().await.expect(200)["data"].clone();
    let path = |key: &str| data[key].text().split_once(&app.running.addr.to_string()).expect("our address").1.to_owned();
    (path("put_location"), path("get_location"))
}

fn put(app: &TestApp, path: &str, bytes: &[u8]) -> Call {
    app.bare("PUT", path).header("content-type", "image/png").bytes(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_to_the_bucket_and_come_back() {
    let bucket = Bucket::open("whole").await;
    let app = bucket.node("hunter2").await;
    // In one request, and in three parts.
    for size in [0, 70_000, 12_000_000] {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let (upload, file) = links(&app, "plan.png").await;
        put(&app, &upload, &bytes).send().await.expect(200);
        let whole = app.bare("GET", &file).send().await;
        assert_eq!((whole.status, whole.header("content-type"), whole.body == bytes), (200, Some("image/png"), true), "{size}");
        if size > 10 {
            let part = app.bare("GET", &file).header("range", "bytes=5-9").send().await;
            assert_eq!((part.status, part.body.as_slice()), (206, &bytes[5..10]));
        }
        assert_eq!(put(&app, &upload, b"other").send().await.refused(409), "The file was uploaded already");
    }
    let (_, uploads) = bucket.holds();
    assert_eq!(uploads, 0);
    // Days later.
    let state = &app.running.doors;
    let never = links(&app, "never.png").await.0;
    salon_files::sweep_once(&state.files, &state.store, state.clock.now().plus_ms(86_400_000)).await.expect("a sweep");
    put(&app, &never, b"x").send().await.refused(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let bucket = Bucket::open("cut").await;
    let app = bucket.node("hunter2").await;
    let (upload, file) = links(&app, "plan.png").await;
    let mut stream = TcpStream::connect(app.running.addr).await.expect("the node accepts");
    let head = format!("PUT {upload} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream.write_all(&vec![7; 12_000_000]).await.expect("two parts and a bit");
    let wait = async |wanted: fn((usize, usize)) -> bool| {
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        while !wanted(bucket.holds()) {
            assert!(tokio::time::Instant::now() < until, "{:?}", bucket.holds());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait(|(_, uploads)| uploads > 0).await;
    drop(stream);
    wait(|held| held == (0, 0)).await;
    app.bare("GET", &file).send().await.refused(404);
    put(&app, &upload, b"whole").send().await.expect(200);
    assert_eq!(app.bare("GET", &file).send().await.body, b"whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_is_told_as_such() {
    let bucket = Bucket::open("refuses").await;
    let app = bucket.node("wrong").await;
    let (upload, file) = links(&app, "plan.png").await;
    assert_eq!(put(&app, &upload, b"x").send().await.refused(503), "The file cannot be stored right now; try again");
    app.bare("GET", &file).send().await.refused(404);
    assert_eq!(bucket.holds(), (0, 0));
}
