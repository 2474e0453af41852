//! HTTP and media over TCP on one port: neither is in the other's way.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::ports::free_port;
use crate::support::TestApp;

const SOON: Duration = Duration::from_secs(30);

/// A STUN check for someone nobody knows, in a frame (RFC 4571).
const CHECK: [u8; 34] = [
    0, 32, 0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 6, b'a', b'b', b'c', b'd', b':',
    b'e', 0, 0,
];

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.running.addr).await.expect("a connection")
}

/// Everything until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is as good.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("closed in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn counts(app: &TestApp, line: &str) -> bool {
    String::from_utf8_lossy(&app.bare("GET", "/metrics").send().await.body).lines().any(|known| known == line)
}

#[tokio::test]
async fn requests_are_answered_while_others_are_silent_or_slow() {
    let app = TestApp::dev().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(&app).await);
    }
    let mut slow = connect(&app).await;
    slow.set_nodelay(true).expect("a socket");
    let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for byte in request {
        slow.write_all(&[*byte]).await.expect("written");
        // Others get their answers in between.
        if *byte == b'/' {
            app.get("/meetings").await.expect(200);
        }
    }
    assert!(rest(&mut slow).await.starts_with("HTTP/1.1 200 "));
    // Who was silent may speak yet.
    let mut late = silent.pop().expect("one of them");
    late.write_all(request).await.expect("written");
    assert!(rest(&mut late).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn media_does_not_reach_http_nor_strangers_media() {
    let app = TestApp::dev().await;
    let mut stranger = connect(&app).await;
    stranger.write_all(&[0, 4, 1, 2, 3, 4]).await.expect("written");
    assert_eq!(rest(&mut stranger).await, "", "closed without an answer");
    assert!(counts(&app, "salon_media_tcp_ended_total{reason=\"malformed\"} 1").await);
    let mut checks = connect(&app).await;
    checks.write_all(&CHECK).await.expect("written");
    timeout(SOON, async { while !counts(&app, "salon_media_tcp_connections 1").await {} }).await.expect("it is media");
    assert!(counts(&app, "salon_media_drops_total{reason=\"stranger\"} 1").await);
    app.get("/meetings").await.expect(200);
}

#[tokio::test]
async fn without_media_all_is_http() {
    let app = TestApp::with(|config| config.media.tcp = false).await;
    let mut stream = connect(&app).await;
    stream.write_all(&CHECK).await.expect("written");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
    app.get("/meetings").await.expect(200);
}

#[tokio::test]
async fn media_may_have_a_port_of_its_own() {
    let own = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let app = TestApp::with(|config| config.media.tcp_listen = vec![own]).await;
    let mut checks = TcpStream::connect(own).await.expect("a connection");
    checks.write_all(&CHECK).await.expect("written");
    timeout(SOON, async { while !counts(&app, "salon_media_tcp_connections 1").await {} }).await.expect("it is media");
    let mut http = TcpStream::connect(own).await.expect("a connection");
    http.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("written");
    assert_eq!(rest(&mut http).await, "");
    // The other port is HTTP alone.
    let mut stream = connect(&app).await;
    stream.write_all(&CHECK).await.expect("written");
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
}
