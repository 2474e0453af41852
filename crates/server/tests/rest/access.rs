//! Who may ask for what: credentials, accounts, apps, rates and host names.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use salon_server::config::Mode;
use serde_json::json;

use crate::support::{KIT, TestApp, Text};

const FORBIDDEN: (u16, u64) = (403, 10_000);
const MALFORMED: (u16, u64) = (400, 6_003);

#[tokio::test]
async fn credentials_of_the_cloudflare_addresses() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", Some("ada@example.org")).await;
    let their_kit = format!("/client/v4/accounts/theirs/realtime/kit/{theirs}");
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let email = |address: &str| ("x-auth-email", address.to_owned());
    let key = |secret: &str| ("x-auth-key", secret.to_owned());
    type Headers = Vec<(&'static str, String)>;
    type Refusal = (u16, u64);
    let cases: Vec<(&str, Headers, Option<Refusal>)> = vec![
        (KIT, vec![bearer("dev-token")], None),
        (KIT, vec![("authorization", "bearer dev-token".to_owned())], None),
        (KIT, vec![], Some(FORBIDDEN)),
        (KIT, vec![bearer("wrong")], Some(FORBIDDEN)),
        (KIT, vec![bearer("their-key")], Some(FORBIDDEN)),
        (KIT, vec![bearer("")], Some(MALFORMED)),
        (KIT, vec![("authorization", "dev-token".to_owned())], Some(MALFORMED)),
        (KIT, vec![("authorization", "Basic ZGV2OmRldi10b2tlbg==".to_owned())], Some(MALFORMED)),
        (KIT, vec![("authorization", "Bearer \u{e4}".to_owned())], Some(MALFORMED)),
        // The dev key has no address, so any goes with it.
        (KIT, vec![email("me@example.org"), key("dev-token")], None),
        (KIT, vec![key("dev-token")], Some(MALFORMED)),
        (KIT, vec![email("me@example.org")], Some(MALFORMED)),
        (KIT, vec![("x-auth-user-service-key", "dev-token".to_owned())], Some(FORBIDDEN)),
        (&their_kit, vec![email("Ada@Example.org"), key("their-key")], None),
        (&their_kit, vec![email("bob@example.org"), key("their-key")], Some(FORBIDDEN)),
        (&their_kit, vec![bearer("their-key")], None),
        (&their_kit, vec![bearer("dev-token")], Some(FORBIDDEN)),
        // Several at once: one good one is enough.
        (&their_kit, vec![bearer("dev-token"), email("ada@example.org"), key("their-key")], None),
        (KIT, vec![bearer("dev-token"), email("x"), key("wrong")], None),
        (KIT, vec![bearer("wrong"), email("x"), key("dev-token")], None),
        (KIT, vec![("authorization", "nonsense".to_owned()), email("x"), key("dev-token")], None),
    ];
    for (kit, headers, refusal) in cases {
        let call = app.bare("GET", &format!("{kit}/meetings"));
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let said = call.send().await;
        let got = (said.status != 200).then(|| (said.status, said.json()["errors"][0]["code"].as_u64().expect("a code")));
        assert_eq!(got, refusal, "{kit} {headers:?}");
        if let Some((status, _)) = refusal {
            said.refused(status);
        }
    }
}

#[tokio::test]
async fn credentials_of_the_older_host() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let encode = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    let cases = [
        (Some(encode("dev:dev-token")), true),
        (Some(encode(&format!("{theirs}:their-key"))), true),
        (Some(encode("dev:their-key")), false),
        (Some(encode(&format!("{theirs}:dev-token"))), false),
        (Some(encode("dev:")), false),
        (Some(encode("dev")), false),
        (Some(encode("nobody:dev-token")), false),
        (Some("Bearer dev-token".to_owned()), false),
        (Some("Basic !!!".to_owned()), false),
        (None, false),
    ];
    for (header, accepted) in cases {
        let call = app.bare("GET", "/v2/meetings");
        let call = header.iter().fold(call, |call, value| call.header("authorization", value));
        let said = call.send().await;
        match accepted {
            true => drop(said.expect(200)),
            false => assert_eq!(said.expect(401), json!({"message": "Unauthorized"}), "{header:?}"),
        }
    }
    // The same resources under all three addresses.
    let meeting = app.meeting("Planning").await;
    for path in [format!("/accounts/dev/realtime/kit/dev/meetings/{meeting}"), format!("{KIT}/meetings/{meeting}")] {
        app.bare("GET", &path).header("authorization", "Bearer dev-token").send().await.expect(200);
    }
    let call = app.bare("GET", &format!("/v2/meetings/{meeting}")).header("authorization", &encode("dev:dev-token"));
    call.send().await.expect(200);
}

#[tokio::test]
async fn what_is_anothers_does_not_exist() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let ask = |method: &str, account: &str, app_id: &str, path: &str, token: &str| {
        app.bare(method, &format!("/client/v4/accounts/{account}/realtime/kit/{app_id}{path}"))
            .header("authorization", &format!("Bearer {token}"))
    };
    // Their app under our account, and apps that nobody has.
    for foreign in [theirs.as_str(), "nobody", "a%20b", "%00"] {
        ask("GET", "dev", foreign, "/meetings", "dev-token").send().await.refused(404);
    }
    let meeting = app.meeting("Planning").await;
    let (person, _) = app.enter(&meeting, "ada").await;
    let session = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text();
    let preset = app.get("/presets").await.expect(200)["data"][0]["id"].text();
    let body = json!({"name": "x", "participant_ids": [person], "allow_unmute": true, "question": "q", "options": ["a", "b"],
        "custom_participant_id": "x", "preset_name": "group_call_host"});
    let paths = [
        ("GET", format!("/meetings/{meeting}")),
        ("PATCH", format!("/meetings/{meeting}")),
        ("PUT", format!("/meetings/{meeting}")),
        ("GET", format!("/meetings/{meeting}/participants")),
        ("POST", format!("/meetings/{meeting}/participants")),
        ("GET", format!("/meetings/{meeting}/participants/{person}")),
        ("PATCH", format!("/meetings/{meeting}/participants/{person}")),
        ("DELETE", format!("/meetings/{meeting}/participants/{person}")),
        ("POST", format!("/meetings/{meeting}/participants/{person}/token")),
        ("GET", format!("/meetings/{meeting}/active-session")),
        ("POST", format!("/meetings/{meeting}/active-session/kick")),
        ("POST", format!("/meetings/{meeting}/active-session/kick-all")),
        ("POST", format!("/meetings/{meeting}/active-session/mute")),
        ("POST", format!("/meetings/{meeting}/active-session/mute-all")),
        ("POST", format!("/meetings/{meeting}/active-session/poll")),
        ("GET", format!("/presets/{preset}")),
        ("DELETE", format!("/presets/{preset}")),
        ("GET", format!("/sessions/{session}")),
        ("GET", format!("/sessions/{session}/participants")),
        ("GET", format!("/sessions/{session}/participants/{person}")),
        ("GET", format!("/sessions/{session}/chat")),
        ("POST", format!("/sessions/{session}/summary")),
    ];
    // A stranger's app, and a second app of the same account.
    let second = app.bare("POST", "/accounts/dev/realtime/kit/apps").header("authorization", "Bearer dev-token");
    let second = second.json(&json!({"name": "second"})).send().await.expect(200)["data"]["app"]["id"].text();
    for (account, app_id, token) in [("theirs", theirs.as_str(), "their-key"), ("dev", second.as_str(), "dev-token")] {
        for (method, path) in &paths {
            ask(method, account, app_id, path, token).json(&body).send().await.refused(404);
        }
        for list in ["/meetings", "/sessions"] {
            let listed = ask("GET", account, app_id, list, token).send().await.expect(200);
            assert_eq!(listed["paging"]["total_count"], 0, "{list}");
        }
    }
    let still = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200);
    assert_eq!(still["data"]["live_participants"], 1, "nothing was done");
    let apps = app.bare("GET", "/accounts/theirs/realtime/kit/apps").header("authorization", "Bearer dev-token");
    apps.send().await.refused(403);
}

#[tokio::test]
async fn an_account_that_asks_too_much_is_told_when_to_come_back() {
    let app = TestApp::with(|config| config.limits.api_requests_per_5_minutes = 3).await;
    for _ in 0..3 {
        app.get("/meetings").await.expect(200);
    }
    let said = app.get("/meetings").await;
    said.refused(429);
    let secs: u64 = said.header("retry-after").and_then(|secs| secs.parse().ok()).expect("seconds");
    assert!((1..=101).contains(&secs), "{secs}");
    app.bare("GET", "/health").send().await.expect(200);
    app.call("GET", "/meetings").without("authorization").send().await.refused(403);
}

#[tokio::test]
async fn only_known_host_names_are_served() {
    let app = TestApp::with(|config| config.http.hosts = vec!["meet.example.org".to_owned()]).await;
    for host in ["meet.example.org", "api.meet.example.org:443", "socket-edge.meet.example.org"] {
        app.call("GET", "/meetings").header("host", host).send().await.expect(200);
    }
    for host in ["example.org", "evil.org", "notmeet.example.org"] {
        app.call("GET", "/meetings").header("host", host).send().await.refused(421);
    }
    app.bare("GET", "/health").send().await.expect(200);
    let open = TestApp::with(|config| config.mode = Mode::Serve).await;
    open.bare("GET", "/openapi.json").header("host", "anything.example").send().await.expect(200);
}
