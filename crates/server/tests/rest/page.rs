//! The page: who gets which file, and who gets the token.

use std::net::SocketAddr;

use salon_server::config::Mode;
use serde_json::{Value, json};

use crate::ports::free_port;
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
    assert!(page.body.starts_with(b"<!doctype html>"), "who does not take it compressed gets it plain");
    // Only a built page has these.
    if let Some(etag) = page.header("etag") {
        app.bare("GET", "/index.html.gz").send().await.refused(404);
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
    assert_eq!((said.status, said.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert!(text.contains("salon_http_requests_total{") && text.contains("/meetings\""), "{text}");
    is_exposition(&text);
    // What Prometheus asks for.
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let said = app.bare("GET", "/metrics").header("accept", accept).send().await;
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((said.status, said.header("content-type")), (200, Some(open)));
    assert!(said.body.ends_with(b"# EOF\n"));
}

/// Text format 0.0.4, and what `promtool check metrics` asks beyond that: each family has a help and a kind above all of its
/// samples, counters and only they end in `_total`, histograms and only they have buckets, each up to +Inf; units are bytes.
fn is_exposition(text: &str) {
    let mut families: Vec<(&str, &str)> = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some((name, said)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            assert!(!said.is_empty() && families.iter().all(|(known, _)| *known != name), "{line}");
            help = name;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert!(name == help && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(!name.contains("_bits"), "{line}");
            families.push((name, kind));
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let (family, kind) = families.last().expect("a family");
            let end = name.strip_prefix(family).unwrap_or("of another family");
            match *kind {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&end), "{line}"),
                _ => assert_eq!(end, "", "{line}"),
            }
            assert!(value.parse::<f64>().is_ok() && labels.ends_with('}'), "{line}");
        }
    }
    let histograms = families.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name);
    for name in histograms {
        let ends = |end: &str| text.lines().filter(|line| line.starts_with(&format!("{name}{end}"))).count();
        let infinite = |line: &&str| line.starts_with(&format!("{name}_bucket")) && line.contains("le=\"+Inf\"");
        assert_eq!((ends("_sum"), ends("_count")), (text.lines().filter(infinite).count(), ends("_sum")), "{name}");
    }
    assert!(families.contains(&("salon_media_track_loss", "histogram")) && families.contains(&("salon_build_info", "gauge")));
}

#[tokio::test]
async fn people_who_go_astray_are_told_on_a_page() {
    let app = TestApp::dev().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let ask = |method: &str, path: &str, accept: &'static str| app.bare(method, path).header("accept", accept);
    let said = ask("GET", "/nope", browser).send().await;
    assert_eq!((said.status, said.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(said.header("content-security-policy").is_some());
    assert!(String::from_utf8_lossy(&said.body).contains("There is nothing here"));
    // Programs, and whoever asks the API, are told as programs are.
    ask("GET", "/nope", "*/*").send().await.refused(404);
    ask("POST", "/nope", browser).send().await.refused(404);
    for path in ["/client/v4/nope", "/v2/nope", "/accounts/nope"] {
        let said = ask("GET", path, browser).send().await;
        assert_eq!(said.header("content-type"), Some("application/json"), "{path}");
    }
    let without = TestApp::with(|config| config.page.enabled = false).await;
    without.bare("GET", "/nope").header("accept", browser).send().await.refused(404);
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
    assert!(said.body.starts_with(b"# HELP salon_"));
}

#[tokio::test]
async fn metrics_may_have_a_port_of_their_own() {
    let free = SocketAddr::from(([127, 0, 0, 1], free_port()));
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
