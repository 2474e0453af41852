//! The page: who gets which file, and who gets the token.

use salon_server::config::Mode;
use serde_json::{Value, json};

use crate::support::TestApp;

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
