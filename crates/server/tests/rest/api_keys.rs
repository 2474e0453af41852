//! API keys over REST: what each may do and make, and how soon a change counts.

use salon_core::Timestamp;
use salon_doors::rfc3339::rfc3339;
use serde_json::{Value, json};

use crate::support::{KIT, Said, TestApp, Text};

const KEYS: &str = "/client/v4/accounts/dev/api-keys";

async fn ask(app: &TestApp, secret: &str, method: &str, path: &str, body: Value) -> Said {
    app.bare(method, path).header("authorization", &format!("Bearer {secret}")).json(&body).send().await
}

/// Makes a key with the dev token; its id and secret.
async fn make(app: &TestApp, body: Value) -> (String, String) {
    let made = ask(app, "dev-token", "POST", KEYS, body).await.expect(201)["data"].clone();
    (made["id"].text(), made["secret"].text())
}

fn hours_from_now(app: &TestApp, hours: i64) -> String {
    rfc3339(app.running.doors.clock.now().plus_ms(hours * 3_600_000))
}

async fn reads(app: &TestApp, secret: &str) -> u16 {
    ask(app, secret, "GET", &format!("{KIT}/meetings"), json!({})).await.status
}

async fn second_app(app: &TestApp) -> String {
    let made = ask(app, "dev-token", "POST", "/accounts/dev/realtime/kit/apps", json!({"name": "second"})).await;
    made.expect(200)["data"]["app"]["id"].text()
}

#[tokio::test]
async fn a_secret_is_shown_once_and_a_revoked_key_stops_at_once() {
    let app = TestApp::dev().await;
    let until = hours_from_now(&app, 1);
    let body = json!({"label": "ci", "email": "ops@example.org", "scope": "read", "app_id": "dev", "expires_at": until});
    let said = ask(&app, "dev-token", "POST", KEYS, body).await;
    assert_eq!(said.header("cache-control"), Some("no-store"));
    let made = said.expect(201)["data"].clone();
    let (id, secret) = (made["id"].text(), made["secret"].text());
    assert!(secret.starts_with("salon_") && secret.len() == 70, "{secret}");
    assert_eq!(
        (&made["label"], &made["email"], &made["scope"], &made["app_id"], &made["expires_at"], &made["last_used_at"]),
        (&json!("ci"), &json!("ops@example.org"), &json!("read"), &json!("dev"), &json!(until), &Value::Null)
    );
    let list = ask(&app, "dev-token", "GET", KEYS, json!({})).await.expect(200);
    let one = ask(&app, "dev-token", "GET", &format!("{KEYS}/{id}"), json!({})).await.expect(200);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "with that of salon dev");
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("secret");
    assert_eq!((&list["data"][1], &one["data"]), (&shown, &shown));
    assert!(!list.to_string().contains(&secret), "nowhere else");

    assert_eq!(reads(&app, &secret).await, 200);
    ask(&app, "dev-token", "DELETE", &format!("{KEYS}/{id}"), json!({})).await.expect(200);
    assert_eq!(reads(&app, &secret).await, 403, "the very next call");
    ask(&app, "dev-token", "DELETE", &format!("{KEYS}/{id}"), json!({})).await.refused(404);
    ask(&app, "dev-token", "GET", &format!("{KEYS}/{id}"), json!({})).await.refused(404);
}

#[tokio::test]
async fn no_key_hands_on_what_it_does_not_have() {
    let app = TestApp::dev().await;
    let second = second_app(&app).await;
    let (soon, later) = (hours_from_now(&app, 1), hours_from_now(&app, 2));
    let (whole_id, whole) = make(&app, json!({"scope": "manage"})).await;
    let (_, of_app) = make(&app, json!({"scope": "manage", "app_id": "dev"})).await;
    let (own_id, brief) = make(&app, json!({"scope": "manage", "expires_at": soon})).await;
    let (_, reader) = make(&app, json!({"scope": "read"})).await;
    let mut cases = Vec::new();
    for scope in ["read", "manage"] {
        cases.extend([
            (&whole, json!({"scope": scope, "app_id": second, "expires_at": later}), 201),
            (&whole, json!({"scope": scope}), 201),
            (&of_app, json!({"scope": scope, "app_id": "dev"}), 201),
            (&of_app, json!({"scope": scope, "app_id": second}), 403),
            (&of_app, json!({"scope": scope}), 403),
            (&brief, json!({"scope": scope, "expires_at": soon}), 201),
            (&brief, json!({"scope": scope, "expires_at": later}), 403),
            (&brief, json!({"scope": scope}), 403),
            (&reader, json!({"scope": scope}), 403),
        ]);
    }
    for (secret, body, status) in cases {
        let said = ask(&app, secret, "POST", KEYS, body.clone()).await;
        assert_eq!(said.status, status, "{body}: {}", said.json());
    }
    // Nor by changing others, or itself.
    let at = |id: &str| format!("{KEYS}/{id}");
    let refused = [
        (&of_app, "PATCH", at(&whole_id), json!({"label": "mine"}), 404),
        (&of_app, "DELETE", at(&whole_id), json!({}), 404),
        (&of_app, "POST", format!("{}/rotate", at(&whole_id)), json!({}), 404),
        (&brief, "PATCH", at(&own_id), json!({"expires_at": null}), 403),
        (&brief, "PATCH", at(&own_id), json!({"expires_at": later}), 403),
        (&brief, "POST", format!("{}/rotate", at(&whole_id)), json!({}), 403),
        (&reader, "DELETE", at(&whole_id), json!({}), 403),
    ];
    for (secret, method, path, body, status) in refused {
        ask(&app, secret, method, &path, body.clone()).await.refused(status);
    }
    let seen = ask(&app, &of_app, "GET", KEYS, json!({})).await.expect(200);
    let seen = seen["data"].as_array().expect("a list");
    assert!(seen.len() == 3 && seen.iter().all(|key| key["app_id"] == "dev"), "{seen:?}");
    // An app's key is no account's.
    let apps = "/accounts/dev/realtime/kit/apps";
    ask(&app, &of_app, "POST", apps, json!({"name": "third"})).await.refused(403);
    let listed = ask(&app, &of_app, "GET", apps, json!({})).await.expect(200);
    assert_eq!((&listed["paging"]["total_count"], &listed["data"][0]["id"]), (&json!(1), &json!("dev")));
    // Less is always possible: of another, and of itself.
    ask(&app, &whole, "PATCH", &at(&own_id), json!({"scope": "read"})).await.expect(200);
    ask(&app, &brief, "POST", &format!("{KIT}/meetings"), json!({})).await.refused(403);
    assert_eq!(reads(&app, &brief).await, 200);
}

#[tokio::test]
async fn what_no_key_can_be_is_refused() {
    let app = TestApp::dev().await;
    let theirs = app.other_account("theirs", "their-key", None).await;
    let cases = [
        (json!({}), "\"scope\" is required"),
        (json!({"scope": "all"}), "\"scope\" must be"),
        (json!({"scope": "read", "label": "x".repeat(257)}), "\"label\" must not be longer"),
        (json!({"scope": "read", "email": ""}), "\"email\" is not allowed to be empty"),
        (json!({"scope": "read", "app_id": theirs}), "\"app_id\" is no app of this account"),
        (json!({"scope": "read", "app_id": "a b"}), "\"app_id\" is no app of this account"),
        (json!({"scope": "read", "expires_at": "soon"}), "\"expires_at\" must be in ISO 8601"),
        (json!({"scope": "read", "expires_at": "2020-01-01"}), "\"expires_at\" must be in the future"),
    ];
    for (body, why) in cases {
        let said = ask(&app, "dev-token", "POST", KEYS, body).await.refused(400);
        assert!(said.contains(why), "{said}");
    }
    ask(&app, "their-key", "GET", KEYS, json!({})).await.refused(403);
    ask(&app, "dev-token", "GET", &format!("{KEYS}/dev"), json!({})).await.refused(400);
    // The key that everybody knows stays as it is.
    let dev = ask(&app, "dev-token", "GET", KEYS, json!({})).await.expect(200)["data"][0]["id"].text();
    for (method, path) in [("DELETE", ""), ("PATCH", ""), ("POST", "/rotate")] {
        let said = ask(&app, "dev-token", method, &format!("{KEYS}/{dev}{path}"), json!({})).await.refused(422);
        assert!(said.contains("part of salon dev"), "{said}");
    }
    assert_eq!(reads(&app, "dev-token").await, 200);
}

#[tokio::test]
async fn a_new_secret_leaves_the_former_one_as_long_as_is_asked() {
    let app = TestApp::dev().await;
    let (id, first) = make(&app, json!({"scope": "manage"})).await;
    assert_eq!(reads(&app, &first).await, 200);
    let rotate = async |body: Value| ask(&app, "dev-token", "POST", &format!("{KEYS}/{id}/rotate"), body).await;
    let second = rotate(json!({})).await.expect(201)["data"].clone();
    assert_eq!(second["id"], id.as_str());
    assert!(second["former_until"].is_string());
    let second = second["secret"].text();
    assert_eq!((reads(&app, &first).await, reads(&app, &second).await), (200, 200), "for a day both are good");
    let handed_on = ask(&app, &first, "POST", KEYS, json!({"scope": "read"})).await;
    handed_on.refused(403);
    rotate(json!({"former_for_secs": 604_801})).await.refused(400);
    let third = rotate(json!({"former_for_secs": 0})).await.expect(201)["data"].clone();
    assert_eq!(third["former_until"], Value::Null);
    let third = third["secret"].text();
    let all = (reads(&app, &first).await, reads(&app, &second).await, reads(&app, &third).await);
    assert_eq!(all, (403, 403, 200), "one that leaked is good no longer");
}

#[tokio::test]
async fn a_key_ends_at_its_moment_and_tells_when_it_was_used() {
    let app = TestApp::dev().await;
    let keys = &app.running.doors.keys;
    let (id, secret) = make(&app, json!({"scope": "manage", "expires_at": hours_from_now(&app, 3)})).await;
    let now = app.running.doors.clock.now();
    let hours = |hours: i64| Timestamp(now.0 + hours * 3_600_000);
    assert!(keys.key(&secret, hours(2)).await.expect("a store").is_some());
    assert!(keys.key(&secret, hours(4)).await.expect("a store").is_none(), "from memory as well");
    let used = async || ask(&app, "dev-token", "GET", &format!("{KEYS}/{id}"), json!({})).await.expect(200)["data"].clone();
    let noted = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while used().await["last_used_at"].is_null() {
            tokio::task::yield_now().await;
        }
    });
    noted.await.expect("the use is written beside the request");
    assert_eq!(used().await["last_used_at"], rfc3339(hours(2)));
}
