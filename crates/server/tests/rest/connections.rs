//! Connections to a whole node: nobody keeps it from answering others by what it does not send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::TestApp;

const SOON: Duration = Duration::from_secs(30);

async fn says(app: &TestApp, text: &str) -> TcpStream {
    let mut client = TcpStream::connect(app.running.addr).await.expect("a connection");
    client.write_all(text.as_bytes()).await.expect("written");
    client
}

async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is as good.
    let _ = timeout(SOON, client.read_to_end(&mut bytes)).await.expect("closed in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn half_sent_requests_are_in_nobodys_way() {
    let app = TestApp::with(|config| (config.http.connections, config.limits.sockets) = (50, 40)).await;
    let half = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}", "y".repeat(20_000));
    let mut held = Vec::new();
    for n in 0..300 {
        held.push(says(&app, &half).await);
        if n % 50 == 0 {
            app.get("/meetings").await.expect(200);
        }
    }
    app.get("/meetings").await.expect(200);
    assert_eq!(rest(&mut held[0]).await, "", "the oldest has made room");
}

#[tokio::test]
async fn half_sent_requests_do_not_stay() {
    let app = TestApp::with(|config| config.http.head_secs = 1).await;
    let mut half = says(&app, "GET /health HTTP/1.1\r\nhost: localhost\r\n").await;
    assert_eq!(rest(&mut half).await, "");
    let mut silent = says(&app, "").await;
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn a_request_with_two_hosts_or_none_is_nobodys() {
    let app = TestApp::dev().await;
    for hosts in ["", "host: a\r\nhost: b\r\n"] {
        let mut client = says(&app, &format!("GET /health HTTP/1.1\r\n{hosts}\r\n")).await;
        let said = rest(&mut client).await;
        assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("exactly one Host"), "{said}");
    }
}
