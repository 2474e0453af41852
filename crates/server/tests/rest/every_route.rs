//! Every route there is, of the contract and of our own, by every method: who is let in, and what other pages may call.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use salon_doors::rest::{Who, routes};
use serde_json::json;

use crate::support::contract::{CONTRACT, tail};
use crate::support::{KIT, Said, TestApp, Text};
use crate::watcher::Stream;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"];

/// What anybody may ask. A new one is a decision: nothing there may be secret, or the address is its own credential.
const FOR_ANYBODY: [&str; 14] = [
    // The key that signatures are checked with.
    "/.well-known/webhooks.json",
    "/api/v1/identities/",
    "/api/v1/message",
    "/downloads/chat/{session_id}",
    "/files/chat/{file_id}/{name}",
    "/files/recordings/{recording_id}/{name}",
    "/files/transcripts/{name}",
    "/health",
    "/live/{secret}/{name}",
    "/location",
    "/openapi.json",
    "/otel/logs",
    "/page/config",
    "/streams/{ticket}",
];

/// What web pages of any origin may ask: what the client SDK asks.
const FOR_PAGES: [&str; 23] = [
    "/api/v1/identities/",
    "/api/v1/message",
    "/files/chat/{file_id}/{name}",
    "/files/recordings/{recording_id}/{name}",
    "/files/transcripts/{name}",
    "/iceservers",
    "/live/{secret}/{name}",
    "/location",
    "/otel/logs",
    "/streams/{ticket}",
    "/v1/meetings/genPreSignedUploadUrl",
    "/v2/internals/participant-details",
    "/v2/internals/rooms",
    "/v2/meetings/chat-upload",
    "/v2/meetings/{meeting_id}/active-livestream",
    "/v2/meetings/{meeting_id}/active-livestream/stop",
    "/v2/meetings/{meeting_id}/active-transcript",
    "/v2/meetings/{meeting_id}/livestreams",
    "/v2/plugins/user",
    "/v2/recordings",
    "/v2/recordings/active-recording/{meeting_id}",
    "/v2/recordings/track",
    "/v2/recordings/{recording_id}",
];

/// A route with something in its places.
fn address(route: &str, account: &str, app: &str, meeting: &str) -> String {
    let fill = |part: &str| match part {
        "{account_id}" => account.to_owned(),
        "{app_id}" => app.to_owned(),
        "{meeting_id}" => meeting.to_owned(),
        "{*rest}" => "x/y".to_owned(),
        part if part.starts_with('{') => "00000000-0000-4000-8000-000000000000".to_owned(),
        part => part.to_owned(),
    };
    route.split('/').map(fill).collect::<Vec<_>>().join("/")
}

fn basic(pair: &str) -> Option<String> {
    Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

async fn ask(app: &TestApp, method: &str, path: &str, credential: Option<&String>) -> Said {
    let call = app.bare(method, path).json(&json!({}));
    credential.into_iter().fold(call, |call, value| call.header("authorization", value)).send().await
}

#[tokio::test]
async fn strangers_and_others_are_refused_before_anything_else() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let meeting = app.meeting("Planning").await;
    let token = app.participant(&meeting, "group_call_host", "ada").await["token"].text();
    let elsewhere = app.meeting("Elsewhere").await;
    let mut all = routes();
    // The contract's too, whether or not there is a handler.
    for endpoint in CONTRACT["endpoints"].as_array().expect("a list") {
        let path = endpoint["path"].text();
        if path.starts_with("/accounts/") {
            let rule = salon_doors::rest::Rule::of;
            let who = if path.contains("{app_id}") { Who::App } else { Who::Account };
            let older = (who == Who::App).then(|| (format!("/v2{}", tail(&path)), rule(Who::OldAppOrGuest)));
            let addresses = ["/client/v4", ""].map(|prefix| (format!("{prefix}{path}"), rule(who)));
            for (route, rule) in addresses.into_iter().chain(older) {
                if !all.iter().any(|(known, _)| *known == route) {
                    all.push((route, rule));
                }
            }
        }
    }
    let mut for_anybody = BTreeSet::new();
    for (route, rule) in &all {
        // Who they are, and as what they are refused.
        let strangers = match rule.who {
            Who::Anyone => {
                for_anybody.insert(route.as_str());
                continue;
            }
            Who::App | Who::Account => [None, bearer("wrong"), bearer("their-key"), bearer(&token)],
            Who::OldApp => [None, basic("dev:wrong"), basic("dev:their-key"), bearer(&token)],
            Who::OldAppOrGuest => [None, basic("dev:wrong"), basic(&format!("{theirs}:dev-token")), bearer("dev-token")],
            // Without a token of their own, metrics are for anybody.
            Who::Scraper => continue,
            Who::Guest => [None, bearer("wrong"), bearer("dev-token"), basic("dev:dev-token")],
        };
        let refused = if matches!(rule.who, Who::App | Who::Account) { 403 } else { 401 };
        let path = address(route, "dev", "dev", &meeting);
        for method in METHODS {
            for stranger in &strangers {
                let said = ask(&app, method, &path, stranger.as_ref()).await;
                assert_eq!(said.status, refused, "{method} {path} {stranger:?}");
            }
            if rule.who == Who::App {
                let foreign = address(route, "dev", &theirs, &meeting);
                let said = ask(&app, method, &foreign, bearer("dev-token").as_ref()).await;
                assert!(said.refused(404).starts_with("App not found"), "{method} {foreign}");
            }
        }
        if rule.pages && rule.who == Who::OldAppOrGuest && route.contains("{meeting_id}") {
            let said = ask(&app, "GET", &address(route, "dev", "dev", &elsewhere), bearer(&token).as_ref()).await;
            assert_eq!(said.refused(403), "The token is for another meeting", "{route}");
        }
    }
    assert_eq!(for_anybody, BTreeSet::from(FOR_ANYBODY));
    // Odd addresses are under the prefix as well.
    for path in
        [format!("{KIT}/meetings/%ff"), format!("{KIT}//meetings"), format!("{KIT}/%2e%2e/x"), "/accounts/dev/x".to_owned()]
    {
        assert_eq!(app.bare("GET", &path).send().await.status, 403, "{path}");
    }
    assert_eq!(app.bare("GET", "/v2/../v2/meetings/%ff/x").send().await.status, 401);
    // Nothing was done.
    assert_eq!(app.get("/meetings").await.expect(200)["paging"]["total_count"], 2);
}

#[tokio::test]
async fn keys_that_may_only_read_or_are_for_another_app_get_no_further_at_any_route() {
    let app = TestApp::dev().await;
    let other = app.bare("POST", "/accounts/dev/realtime/kit/apps").header("authorization", "Bearer dev-token");
    let other = other.json(&json!({"name": "other"})).send().await.expect(200)["data"]["app"]["id"].text();
    let make = async |body: serde_json::Value| {
        let call = app.bare("POST", "/accounts/dev/api-keys").header("authorization", "Bearer dev-token");
        call.json(&body).send().await.expect(201)["data"]["secret"].text()
    };
    let reader = make(json!({"scope": "read"})).await;
    let foreign = make(json!({"scope": "manage", "app_id": other})).await;
    let meeting = app.meeting("Planning").await;
    let (mut walked, mut tickets) = (0, 0);
    for (route, rule) in routes() {
        let of_app = matches!(rule.who, Who::App | Who::OldApp | Who::OldAppOrGuest);
        if !of_app && rule.who != Who::Account {
            continue;
        }
        let path = address(&route, "dev", "dev", &meeting);
        let credential = |secret: &str| match rule.who {
            Who::App | Who::Account => bearer(secret),
            _ => basic(&format!("dev:{secret}")),
        };
        for method in METHODS {
            walked += 1;
            if method == "GET" && route.ends_with("/stream") {
                // It goes on for as long as it is read.
                let opened =
                    Stream::open(app.running.addr, &path, &[("authorization", &credential(&reader).expect("one"))]).await;
                assert!(matches!(opened, Ok(_) | Err(404)), "{method} {path}: {:?}", opened.err());
            } else {
                let said = ask(&app, method, &path, credential(&reader).as_ref()).await;
                if rule.reads && method == "POST" {
                    assert_eq!(said.status, 201, "{method} {path}");
                    tickets += 1;
                } else if method == "GET" || rule.reads {
                    assert!(![401, 403].contains(&said.status), "{method} {path}: {}", said.status);
                } else {
                    assert!(said.refused(403).contains("may only read"), "{method} {path}");
                }
            }
            if of_app {
                let said = ask(&app, method, &path, credential(&foreign).as_ref()).await;
                assert_eq!(said.refused(403), format!("This API key is for the app {other} only"), "{method} {path}");
            }
        }
        let head = app.bare("HEAD", &path).header("authorization", &credential(&reader).expect("one")).send().await;
        assert!(![401, 403].contains(&head.status), "HEAD {path}: {}", head.status);
    }
    assert!(walked > 500, "{walked}");
    assert_eq!(tickets, 3, "at each host: it changes nothing for anybody, and nothing else is like it");
    // Nothing was done.
    assert_eq!(app.get("/meetings").await.expect(200)["paging"]["total_count"], 1);
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_what_the_client_sdk_asks_and_nothing_else() {
    let app = TestApp::dev().await;
    let mut for_pages = BTreeSet::new();
    let all = routes();
    for (route, rule) in &all {
        if rule.pages {
            for_pages.insert(route.as_str());
        }
        let path = address(route, "dev", "dev", "00000000-0000-4000-8000-000000000000");
        let allowed = rule.pages.then_some("*");
        for method in ["GET", "POST", "PUT"] {
            let call = app.bare("OPTIONS", &path).header("origin", "https://example.org");
            let asked = call.header("access-control-request-method", method).send().await;
            assert_eq!((asked.status == 204, asked.header("access-control-allow-origin")), (rule.pages, allowed), "{path}");
            assert_eq!(asked.header("access-control-allow-methods").is_some(), rule.pages, "{path}");
            let said = app.bare(method, &path).header("origin", "https://example.org").send().await;
            assert_eq!(said.header("access-control-allow-origin"), allowed, "refusals too: {method} {path}");
        }
    }
    assert_eq!(for_pages, BTreeSet::from(FOR_PAGES));
    for path in ["/", "/assets/x.js", "/v2x", "/nope"] {
        let said = app.bare("GET", path).header("origin", "https://example.org").send().await;
        assert_eq!(said.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn no_page_of_another_origin_administers_salon_dev() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let token = app.participant(&meeting, "group_call_host", "ada").await["token"].text();
    let here = format!("http://{}", app.running.addr);
    let from = |origin: &str, path: &str, credential: Option<String>| {
        let call = app.bare("GET", path).header("origin", origin);
        credential.iter().fold(call, |call, value| call.header("authorization", value))
    };
    let meetings = format!("{KIT}/meetings");
    for (path, credential) in [("/v2/meetings", basic("dev:dev-token")), (meetings.as_str(), bearer("dev-token"))] {
        for foreign in ["https://evil.example", "http://localhost:3000", "null"] {
            let said = from(foreign, path, credential.clone()).send().await;
            assert!(said.refused(403).starts_with("Everybody knows this token"), "{path} {foreign}");
        }
        from(&here, path, credential.clone()).send().await.expect(200);
    }
    let key = from("https://evil.example", &meetings, None).header("x-auth-email", "x").header("x-auth-key", "dev-token");
    key.send().await.refused(403);
    // Their people may call, which is what an application on another port is there for.
    for origin in ["http://localhost:3000", "https://example.org"] {
        let said = from(origin, "/v2/internals/participant-details", bearer(&token)).send().await;
        assert_eq!((said.status, said.header("access-control-allow-origin")), (200, Some("*")), "{origin}");
    }
    // A stranger's name that was made to point here gets nothing at all.
    for path in ["/page/config", "/health", "/metrics", "/", "/v2/meetings", "/ws"] {
        for host in ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1"] {
            let said = app.bare("GET", path).header("host", host).send().await;
            assert!(said.refused(421).contains("localhost"), "{path} {host}");
        }
    }
    for host in ["localhost:1", "127.0.0.1", "127.8.8.8:1", "[::1]:1", "api.localhost"] {
        app.bare("GET", "/health").header("host", host).send().await.expect(200);
    }
}
