//! The page: who gets which file, and who gets the token.

use salon_server::config::Mode;
use serde_json::{Value, json};

use crate::support::{Call, TestApp};

#[tokio::test]
async fn the_token_is_for_this_machine_only() {
    let app = TestApp::dev().await;
    let config = |host: &'static str| app.bare("GET", "/page/config").header("host", host);
    for host in ["localhost:8787", "127.0.0.1", "[::1]:8787", "api.localhost"] {
        let said = config(host).send().await.expect(200);
        assert_eq!(said, json!({"mode": "dev", "account_id": "dev", "app_id": "dev", "api_token": "dev-token"}), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1:8787"] {
        config(host).send().await.refused(421);
    }
    let forwarded = config("localhost").header("x-forwarded-for", "203.0.113.7").send().await.expect(200);
    assert_eq!(forwarded["api_token"], Value::Null);
    let serving = TestApp::with(|config| config.mode = Mode::Serve).await;
    let said = serving.bare("GET", "/page/config").send().await.expect(200);
    assert_eq!(said, json!({"mode": "serve", "account_id": null, "app_id": null, "api_token": null}));
}

#[tokio::test]
async fn the_page_is_served() {
    let app = TestApp::dev().await;
    let page = app.bare("GET", "/?meeting=x").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("connect-src 'self' ws: wss:"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    // Only a built page has these.
    if let Some(etag) = page.header("etag") {
        let again = app.bare("GET", "/").header("if-none-match", etag).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        let packed = app.bare("GET", "/").header("accept-encoding", "gzip").send().await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), (Some("gzip"), Some("accept-encoding")));
        assert_eq!(&packed.body[..2], b"\x1f\x8b");
    }
    for path in ["/nope", "/assets/nope.js", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/assets/../../Cargo.toml", "//etc/passwd"] {
        app.bare("GET", path).send().await.refused(404);
    }
    app.bare("POST", "/").send().await.refused(404);
    let without = TestApp::with(|config| config.page.enabled = false).await;
    without.bare("GET", "/").send().await.refused(404);
}

#[tokio::test]
async fn metrics_are_text() {
    let app = TestApp::dev().await;
    app.get("/meetings").await.expect(200);
    let said = app.bare("GET", "/metrics").send().await;
    let text = String::from_utf8_lossy(&said.body).into_owned();
    assert_eq!(said.status, 200);
    assert!(text.contains("salon_http_requests_total{") && text.contains("/meetings\""), "{text}");
    assert!(text.trim_end().ends_with("# EOF"));
}

#[tokio::test]
async fn metrics_may_be_for_those_with_their_token_only() {
    let app = TestApp::with(|config| config.metrics.token = "scrape".into()).await;
    let ask = |value: &str| app.bare("GET", "/metrics").header("authorization", value);
    app.bare("GET", "/metrics").send().await.expect(401);
    for wrong in ["Bearer x", "Bearer dev-token", "scrape", "Basic scrape"] {
        ask(wrong).send().await.expect(401);
    }
    let said = ask("Bearer scrape").send().await;
    assert_eq!(said.status, 200);
    assert!(said.body.ends_with(b"# EOF\n"));
}

#[tokio::test]
async fn metrics_may_have_a_port_of_their_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a free port");
    let app = TestApp::with(|config| {
        config.metrics.listen = vec![free];
        config.metrics.token = "scrape".into();
    })
    .await;
    app.bare("GET", "/metrics").header("authorization", "Bearer scrape").send().await.refused(404);
    let ask = |path: &str| Call::new(free, "GET", path);
    assert_eq!(ask("/metrics").header("authorization", "Bearer scrape").send().await.status, 200);
    assert_eq!(ask("/metrics").send().await.status, 401);
    assert_eq!(ask("/client/v4/accounts/dev/realtime/kit/dev/meetings").send().await.status, 404, "nothing else is there");
}
